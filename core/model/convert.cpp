// Matching of tensors to parameters.
#include "core/model/convert.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

namespace shiftadd {
namespace {

struct Candidate {
  std::string source;  // as in the file
  std::string name;    // after the rules and without the prefix
  const Tensor* tensor;
  bool ignored = false, is_used = false;
};

// Equal but for dimensions of 1: (65, 128) and (1, 65, 128).
bool differs_in_ones_only(const Shape& a, const Shape& b) {
  const auto squeezed = [](Shape shape) {
    std::erase(shape, 1);
    return shape;
  };
  return squeezed(a) == squeezed(b);
}

// The prefix under which most parameters are found: "", "module.", "model.encoder." ...; the
// shortest of equals, so that copies such as "ema." never win over the weights themselves.
std::string common_prefix(const std::vector<Candidate>& candidates,
                          const std::vector<ParameterInfo>& parameters) {
  constexpr std::size_t kLongest = 512;  // of a name: the search is quadratic in it
  std::unordered_set<std::string> known;
  for (const ParameterInfo& parameter : parameters) known.insert(parameter.name);
  std::map<std::string, int> hits;
  for (const Candidate& candidate : candidates) {
    const std::string& name = candidate.name;
    if (name.size() > kLongest) continue;
    for (std::size_t at = 0; at != std::string::npos && at < name.size();) {
      if (known.contains(name.substr(at))) ++hits[name.substr(0, at)];
      at = name.find('.', at);
      if (at != std::string::npos) ++at;
    }
  }
  std::string best;
  int most = hits.contains("") ? hits.at("") : 0;
  for (const auto& [prefix, count] : hits) {
    if (count > most || (count == most && prefix.size() < best.size())) best = prefix, most = count;
  }
  return best;
}

// "blocks.7.attn..." of a network with fewer blocks, a part of a block the network does not have,
// or a layer that other vision transformers have beside the blocks: without it the network would
// compute something else.
bool changes_the_function(const std::string& name) {
  if (name.starts_with("blocks.")) return true;
  for (const char* part : {"norm_pre.", "fc_norm.", "reg_token", "attn_pool.", "patch_embed.norm"})
    if (name.starts_with(part)) return true;
  return false;
}

const char* unused_note(const Candidate& candidate) {
  struct Known {
    const char* part;
    const char* note;
  };
  static constexpr Known kKnown[] = {
      {"head_dist", "the distillation head is not used at inference"},
      {"dist_token", "the distillation token is not used"},
      {"pre_logits", "not part of the network"},
      {"num_batches_tracked", "a counter"},
      {"position_ids", "a constant"},
      {"mask_token", "for pretraining only"},
      {"optimizer.", "optimizer state"},
      {"ema.", "a moving average of the weights"}};
  if (candidate.ignored) return "ignored by a mapping rule";
  for (const Known& known : kKnown)
    if (candidate.name.find(known.part) != std::string::npos) return known.note;
  return "not part of the network";
}

}  // namespace

Preprocess default_preprocess(const ModelSpec& spec) {
  Preprocess result;
  result.crop = spec.image_size;
  // 224 -> 256, as the published models were evaluated; small images are used as they are.
  constexpr int64_t kSmall = 64;
  result.resize = spec.image_size <= kSmall ? 0 : (spec.image_size * 256 + 112) / 224;
  return result;
}

const char* name_of(TensorStatus status) {
  static constexpr const char* kNames[] = {"used", "renamed", "reshaped", "missing", "unused"};
  return kNames[static_cast<int>(status)];
}

std::size_t Conversion::count(TensorStatus status) const {
  return static_cast<std::size_t>(
      std::count_if(report.begin(), report.end(),
                    [&](const TensorReport& entry) { return entry.status == status; }));
}

Conversion convert_weights(const WeightsFile& file, const ModelSpec& spec, const NameMap& map) {
  const std::vector<ParameterInfo> parameters = parameters_of(spec);
  std::vector<Candidate> candidates;
  for (const auto& [name, tensor] : file.tensors) {
    const NameMap::Result mapped = map.apply(name);
    candidates.push_back({name, mapped.name, &tensor, mapped.ignored});
  }
  Conversion result;
  result.prefix = common_prefix(candidates, parameters);
  std::unordered_map<std::string, Candidate*> by_name;
  for (Candidate& candidate : candidates) {
    if (candidate.ignored) continue;
    if (candidate.name.starts_with(result.prefix))
      candidate.name.erase(0, result.prefix.size());
    else if (!result.prefix.empty())
      continue;  // beside the network
    const auto [other, is_new] = by_name.emplace(candidate.name, &candidate);
    if (!is_new)
      result.problems.push_back(concat(other->second->source, " and ", candidate.source,
                                       " both become ", candidate.name, ": change the mapping"));
  }

  for (const ParameterInfo& parameter : parameters) {
    const auto found = by_name.find(parameter.name);
    if (found == by_name.end()) {
      result.report.push_back(
          {TensorStatus::kMissing, parameter.name, "", parameter.shape, {}, ""});
      result.problems.push_back(
          concat(parameter.name, " is missing: expected shape ", parameter.shape));
      continue;
    }
    Candidate& candidate = *found->second;
    candidate.is_used = true;
    const Tensor& tensor = *candidate.tensor;
    const bool same_shape = tensor.shape() == parameter.shape;
    TensorReport entry{
        candidate.source == parameter.name ? TensorStatus::kUsed : TensorStatus::kRenamed,
        parameter.name,
        candidate.source,
        parameter.shape,
        tensor.shape(),
        ""};
    const std::string what = candidate.source == parameter.name
                                 ? parameter.name
                                 : concat(candidate.source, " (", parameter.name, ")");
    if (!is_floating(tensor.dtype())) {
      entry.status = TensorStatus::kUnused;
      entry.note = concat("dtype ", tensor.dtype(), ": expected a floating one");
      result.problems.push_back(concat(what, " has ", entry.note));
    } else if (!same_shape && !differs_in_ones_only(tensor.shape(), parameter.shape)) {
      entry.status = TensorStatus::kUnused;
      entry.note = "wrong shape";
      result.problems.push_back(
          concat(what, " has shape ", tensor.shape(), ": expected ", parameter.shape));
    } else {
      if (!same_shape) entry.status = TensorStatus::kReshaped;
      if (const int64_t bad = count_not_finite(tensor))
        result.problems.push_back(concat(what, " has ", bad, " values that are not finite"));
      result.weights.emplace_back(parameter.name, tensor.reshape(parameter.shape));
    }
    result.report.push_back(std::move(entry));
  }

  for (const Candidate& candidate : candidates) {
    if (candidate.is_used) continue;
    result.report.push_back({TensorStatus::kUnused, candidate.name, candidate.source,
                             candidate.tensor->shape(), candidate.tensor->shape(),
                             unused_note(candidate)});
    if (changes_the_function(candidate.name) && !candidate.ignored)
      result.problems.push_back(concat(candidate.source, candidate.tensor->shape(),
                                       " has no place in '", spec.name, "' of depth ", spec.depth,
                                       ": another architecture?"));
  }
  for (const std::string& name : file.outside)
    result.report.push_back({TensorStatus::kUnused, name, name, {}, {}, "beside the state dict"});
  return result;
}

}  // namespace shiftadd
