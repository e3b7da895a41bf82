// A network of a few numbers and its weights, for tests of conversion.
#pragma once

#include <string>

#include "model/convert.h"
#include "tests/support/support.h"

namespace shiftadd::test {

inline ModelSpec tiny_spec() {
  ModelSpec spec;
  spec.name = "test";
  spec.image_size = 6, spec.patch_size = 3, spec.width = 4, spec.depth = 2, spec.heads = 2,
  spec.mlp_hidden = 5;
  spec.classes = 3;
  return spec;
}

inline WeightsFile weights_of(const ModelSpec& spec, const std::string& prefix = "") {
  WeightsFile file;
  double value = 0;
  for (const Parameter& parameter : parameters_of(spec))
    file.tensors.emplace_back(prefix + parameter.name, Tensor::full(parameter.shape, value += 1));
  return file;
}

inline Tensor& tensor_of(WeightsFile& file, const std::string& name) {
  for (auto& [known, tensor] : file.tensors)
    if (known == name) return tensor;
  FAIL("no tensor " << name);
  throw;
}

inline bool mentions(const Conversion& conversion, const std::string& text) {
  for (const std::string& problem : conversion.problems)
    if (problem.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace shiftadd::test
