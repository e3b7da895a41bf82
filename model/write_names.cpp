// Applies rename rules the other way round.
#include "model/write_names.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "core/io/json_text.h"
#include "model/detect_spec.h"
#include "model/dialect.h"
#include "model/rearrange.h"

namespace shiftadd {
namespace {

// The uses of a dialect's rules that write a network; none where it has no names for all of it.
std::optional<std::vector<NameUse>> uses_for(const Dialect& dialect, const ModelSpec& spec,
                                             const std::vector<std::string>& names) {
  std::vector<NameUse> uses = dialect.map.inverse(spec).apply(names);
  const auto has_own_name = [&](const std::string& name) {
    return std::any_of(uses.begin(), uses.end(), [&](const NameUse& use) {
      return use.rule && std::find(use.from.begin(), use.from.end(), name) != use.from.end();
    });
  };
  if (dialect.has_own_names && !std::all_of(names.begin(), names.end(), has_own_name))
    return std::nullopt;
  return uses;
}

// Where a bias that should be zero is not any more, it is written whole, under our name.
NamedTensors written(const std::vector<NameUse>& uses, const NamedTensors& weights) {
  std::unordered_map<std::string, const Tensor*> by_name;
  for (const auto& [name, tensor] : weights) by_name.emplace(name, &tensor);
  NamedTensors result;
  for (const NameUse& use : uses) {
    std::vector<Tensor> from;
    for (const std::string& name : use.from) from.push_back(*by_name.at(name));
    try {
      const std::vector<Tensor> to = rearranged(use, from);
      for (std::size_t i = 0; i < to.size(); ++i)
        if (!use.to[i].empty()) result.emplace_back(use.to[i], to[i]);
    } catch (const Error&) {
      if (use.from.size() != 1) throw;
      result.emplace_back(use.from[0], from[0]);
    }
  }
  return result;
}

// Whoever reads what was written, and is told what no tensor tells, must find the same network.
void require_same_network(const std::string& to, const ModelSpec& spec,
                          const NamedTensors& tensors) {
  const nlohmann::json keys = to_json(spec);
  std::vector<SpecSetting> settings;
  for (const char* key : {"heads", "norm_eps", "attention_scale", "post_norm", "position_resize",
                          "pooling", "class_token", "activation", "image_size"})
    settings.push_back({concat(key, "=",
                               keys.at(key).is_string() ? keys.at(key).get<std::string>()
                                                        : json_text(keys.at(key))),
                        "this model"});
  WeightsFile file;
  file.tensors = tensors;
  const DetectedSpec found = detect_spec(translate(file, {}, nullptr, {}), settings);
  ModelSpec read = found.spec;
  read.name = spec.name;
  if (spec.qkv_bias == QkvBias::kQueryValue) read.qkv_bias = spec.qkv_bias;  // k's may be written
  const std::string difference =
      found.problems.empty() ? spec_difference(read, spec) : found.problems.front();
  if (!difference.empty())
    throw user_error("--to ", to,
                     ": by these names this network would be read as another: ", difference,
                     "; expected --to timm, or ours");
}

}  // namespace

NamedTensors under_names_of(const std::string& to, const std::string& names, const ModelSpec& spec,
                            const NamedTensors& weights) {
  std::vector<Dialect> candidates;
  if (!names.empty()) {
    candidates.push_back(Dialect::parse(names, "shiftadd.names"));
    if (to != "origin" && candidates[0].name != to) candidates.clear();
  }
  for (const Dialect& known : known_dialects())
    if (known.name == to) candidates.push_back(known);
  if (candidates.empty())
    throw user_error("--to ", to,
                     ": this model does not say which names its tensors had: name "
                     "the publisher whose names to write");
  std::vector<std::string> ours;
  for (const auto& [name, tensor] : weights) ours.push_back(name);
  for (const Dialect& candidate : candidates)
    if (const auto uses = uses_for(candidate, spec, ours)) {
      NamedTensors tensors = written(*uses, weights);
      if (to != "origin") require_same_network(to, spec, tensors);
      return tensors;
    }
  throw user_error("--to ", to, ": ", candidates.back().description,
                   " has no names for all of this network; expected --to timm, which has");
}

}  // namespace shiftadd
