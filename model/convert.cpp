// Matches tensors of a file to the parameters of a network.
#include "model/convert.h"

#include <algorithm>
#include <unordered_map>

#include "core/names.h"
#include "core/pattern.h"
#include "model/leftovers.h"
#include "model/weights_prefix.h"

namespace shiftadd {
namespace {

struct Candidate {
  std::string source;       // as in the file
  std::string name;         // after the rules and without the prefix
  const Tensor* tensor;     // null where it is of a type that is not read,
  std::string unread = "";  // for this reason
  const char* note = "";    // why it is left out before anything is matched
  bool is_used = false;

  Shape shape() const { return tensor ? tensor->shape() : Shape{}; }
};

std::vector<Candidate> candidates_of(const WeightsFile& file, const NameMap& map,
                                     const ConvertOptions& options, Conversion& result) {
  std::vector<Candidate> candidates;
  std::vector<bool> matched(options.ignore.size());
  const auto add = [&](const std::string& name, const Tensor* tensor, const std::string& unread) {
    const NameMap::Result mapped = map.apply(name);
    Candidate candidate{name, mapped.name, tensor, unread};
    if (mapped.ignored) candidate.note = "ignored by a mapping rule";
    for (std::size_t i = 0; i < matched.size(); ++i) {
      if (!matches_pattern(options.ignore[i], name) &&
          !matches_pattern(options.ignore[i], mapped.name))
        continue;
      matched[i] = true;
      candidate.note = "ignored by --ignore";
    }
    candidates.push_back(std::move(candidate));
  };
  for (const auto& [name, tensor] : file.tensors) add(name, &tensor, "");
  for (const auto& [name, reason] : file.unread) add(name, nullptr, reason);
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates) names.push_back(candidate.source);
  for (std::size_t i = 0; i < matched.size(); ++i)
    if (!matched[i])
      result.problems.push_back(concat("--ignore '", options.ignore[i], "' matches no tensor",
                                       did_you_mean(options.ignore[i], names)));
  return candidates;
}

// The candidates that may be parameters, by name. Takes the prefix from their names and says why
// those that lie beside it are left out.
std::unordered_map<std::string, Candidate*> strip_prefix(std::vector<Candidate>& candidates,
                                                         const std::vector<Parameter>& parameters,
                                                         const ConvertOptions& options,
                                                         Conversion& result) {
  std::vector<NamedShape> named;
  for (const Candidate& candidate : candidates)
    if (!*candidate.note) named.push_back({candidate.name, candidate.shape()});
  const WeightsPrefix chosen = choose_prefix(named, parameters, options.prefix);
  result.prefix = chosen.prefix;
  if (!chosen.problem.empty()) result.problems.push_back(chosen.problem);
  std::unordered_map<std::string, Candidate*> by_name;
  for (Candidate& candidate : candidates) {
    if (*candidate.note) continue;
    const bool is_inside = candidate.name.starts_with(chosen.prefix);
    const bool is_copy =
        std::any_of(chosen.copies.begin(), chosen.copies.end(), [&](const std::string& copy) {
          // "" and "ema.", or "net." and "net.ema.": the longer prefix says whose a name is
          return candidate.name.starts_with(copy) &&
                 (!is_inside || copy.size() > chosen.prefix.size());
        });
    if (is_copy)
      candidate.note = "of another copy of the network";
    else if (!is_inside && options.prefix)
      candidate.note = "outside of --prefix";
    if (*candidate.note || !is_inside) continue;
    candidate.name.erase(0, chosen.prefix.size());
    const auto [other, is_new] = by_name.emplace(candidate.name, &candidate);
    if (!is_new)
      result.problems.push_back(concat(other->second->source, " and ", candidate.source,
                                       " both become ", candidate.name, ": change the mapping"));
  }
  return by_name;
}

// Why a tensor that nothing used is left out; what is no harmless leftover becomes a problem.
std::string leftover_note(const Candidate& candidate, const Network& network, Conversion& result) {
  if (*candidate.note) return candidate.note;
  if (const char* harmless = harmless_leftover(candidate.name)) return harmless;
  if (!candidate.tensor) return candidate.unread;
  result.problems.push_back(concat(
      candidate.source, candidate.shape(), " is left over: '", network.name, "' of depth ",
      network.depth(),
      " has no such tensor. Is it another architecture? If the tensor is not needed: --ignore '",
      candidate.source, "'"));
  return "not part of the network";
}

// Numbers that are not finite, or not as float32, in which all is computed.
int64_t count_unusable(const Tensor& tensor) {
  return count_not_finite(tensor.dtype() == DType::kF64 ? tensor.to(DType::kF32) : tensor);
}

}  // namespace

Preprocess default_preprocess(const ModelSpec& spec) {
  Preprocess result;
  result.crop = spec.image_size;
  // 224 -> 256, as the published models were evaluated; small images are used as they are.
  constexpr int64_t kSmall = 64;
  const int64_t side = result.crop_side();
  result.resize = side <= kSmall ? 0 : (side * 256 + 112) / 224;
  result.mean = imagenet_mean(spec.in_channels);
  result.std = imagenet_std(spec.in_channels);
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

Conversion convert_weights(const WeightsFile& file, const ModelSpec& spec, const NameMap& map,
                           const ConvertOptions& options) {
  return convert_weights(file, network_of(spec), map, options);
}

Conversion convert_weights(const WeightsFile& file, const Network& network, const NameMap& map,
                           const ConvertOptions& options) {
  const std::vector<Parameter> parameters = parameters_of(network);
  Conversion result;
  std::vector<Candidate> candidates = candidates_of(file, map, options, result);
  const auto by_name = strip_prefix(candidates, parameters, options, result);

  for (const Parameter& parameter : parameters) {
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
    const bool same_shape = candidate.shape() == parameter.shape;
    TensorReport entry{
        candidate.source == parameter.name ? TensorStatus::kUsed : TensorStatus::kRenamed,
        parameter.name,
        candidate.source,
        parameter.shape,
        candidate.shape(),
        ""};
    const std::string what = candidate.source == parameter.name
                                 ? parameter.name
                                 : concat(candidate.source, " (", parameter.name, ")");
    if (!candidate.tensor) {
      entry.status = TensorStatus::kUnused;
      entry.note = candidate.unread;
      result.problems.push_back(concat(what, " ", entry.note, ": expected floats"));
    } else if (!is_floating(candidate.tensor->dtype())) {
      entry.status = TensorStatus::kUnused;
      entry.note = concat("dtype ", candidate.tensor->dtype(), ": expected a floating one");
      result.problems.push_back(concat(what, " has ", entry.note));
    } else if (!same_shape && !differs_in_ones_only(candidate.shape(), parameter.shape)) {
      entry.status = TensorStatus::kUnused;
      entry.note = "wrong shape";
      result.problems.push_back(
          concat(what, " has shape ", candidate.shape(), ": expected ", parameter.shape));
    } else {
      if (!same_shape) entry.status = TensorStatus::kReshaped;
      if (const int64_t bad = count_unusable(*candidate.tensor))
        result.problems.push_back(
            concat(what, " has ", bad, " values that are not finite (in float32)"));
      result.weights.emplace_back(parameter.name, candidate.tensor->reshape(parameter.shape));
    }
    result.report.push_back(std::move(entry));
  }

  for (const Candidate& candidate : candidates) {
    if (candidate.is_used) continue;
    result.report.push_back({TensorStatus::kUnused, candidate.name, candidate.source,
                             candidate.shape(), candidate.shape(),
                             leftover_note(candidate, network, result)});
  }
  for (const std::string& name : file.outside)
    result.report.push_back({TensorStatus::kUnused, name, name, {}, {}, "beside the state dict"});
  return result;
}

}  // namespace shiftadd
