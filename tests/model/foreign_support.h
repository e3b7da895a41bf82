// Checkpoints in the names of publishers, for tests of what is made of them.
#pragma once

#include <algorithm>
#include <cstring>

#include "model/convert.h"
#include "model/detect_spec.h"
#include "model/write_names.h"
#include "tests/support/support.h"

namespace shiftadd::test {

/// A network that was found in a file, or why there is none.
struct Found {
  DetectedSpec detected;
  Conversion conversion;
  std::vector<std::string> problems;  // of either

  const ModelSpec& spec() const { return detected.spec; }
  bool says(const std::string& text) const {
    return std::any_of(problems.begin(), problems.end(), [&](const std::string& problem) {
      return problem.find(text) != std::string::npos;
    });
  }
};

inline Found find_network(const WeightsFile& file,
                          const std::vector<std::string>& set = {"heads=3"},
                          const ConvertOptions& options = {},
                          const std::vector<Dialect>& dialects = {}) {
  std::vector<SpecSetting> settings;
  for (const std::string& each : set) settings.push_back(set_option(each));
  const Translation translation = translate(file, dialects, nullptr, options);
  Found found{detect_spec(translation, settings), {}, {}};
  found.problems = found.detected.problems;
  if (!found.problems.empty()) return found;
  found.conversion = fit_weights(file, translation, network_of(found.spec()));
  found.problems = found.conversion.problems;
  return found;
}

inline bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

inline const Tensor* tensor_in(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [known, tensor] : tensors)
    if (known == name) return &tensor;
  return nullptr;
}

/// A small network's weights, all numbers different.
inline NamedTensors numbered_weights(const ModelSpec& spec) {
  NamedTensors weights;
  float next = 1;
  for (const Parameter& parameter : parameters_of(spec)) {
    Tensor tensor(parameter.shape);
    for (float& value : tensor.span<float>()) value = next++ / 1024;
    if (spec.qkv_bias == QkvBias::kQueryValue && parameter.name.ends_with("attn.qkv.bias"))
      tensor.slice(spec.width, 2 * spec.width).fill(0);
    weights.emplace_back(parameter.name, tensor);
  }
  return weights;
}

inline WeightsFile file_of(const NamedTensors& tensors, const std::string& prefix = "") {
  WeightsFile file;
  for (const auto& [name, tensor] : tensors) file.tensors.emplace_back(prefix + name, tensor);
  return file;
}

}  // namespace shiftadd::test
