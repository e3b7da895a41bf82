// Matches tensors of a file to the parameters of a network.
#include "model/convert.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "model/leftovers.h"
#include "model/weights_prefix.h"

namespace shiftadd {
namespace {

using ByName = std::unordered_map<std::string, const TranslatedTensor*>;

// The part of the network that the last words of a name mean, where the file has it under this name
// alone ("ema.norm.weight" without a "norm.weight"); "": none. To leave that out would make another
// network without a word.
std::string lost_part(const std::string& name, const NameMap& map, const Network& network,
                      const ByName& by_name) {
  for (std::size_t at = name.find_first_of("._"); at != std::string::npos;
       at = name.find_first_of("._", at + 1)) {
    std::string part = name.substr(at + 1);
    const std::vector<NameUse> uses = map.apply({part});
    if (uses.size() == 1 && uses[0].to.size() == 1) part = uses[0].to[0];
    if (!is_parameter_name(part) || by_name.contains(part)) continue;
    // Of a block beyond the network's last: a decoder may be deeper.
    const std::string last = concat("blocks.", network.depth() - 1, ".");
    const bool is_deeper =
        part.starts_with("blocks.") &&
        std::pair(part.find('.', 7), part) > std::pair(last.size() - 1, last + "~");
    if (!is_deeper) return part;
  }
  return "";
}

// Why a tensor that nothing used is left out; what is no harmless leftover becomes a problem.
std::string leftover_note(const TranslatedTensor& tensor, const Translation& translation,
                          const Network& network, const ByName& by_name, Conversion& result) {
  if (!tensor.note.empty()) return tensor.note;
  if (const char* harmless = harmless_leftover(tensor.name, tensor.is_beside)) {
    const std::string part = lost_part(tensor.name, translation.dialect.map, network, by_name);
    if (!part.empty())
      result.problems.push_back(concat(
          tensor.source(), " would be left out (", harmless, "), but the file has no other ", part,
          ": rename it with --mapping, or leave it out with --ignore '", tensor.source(), "'"));
    return harmless;
  }
  if (!tensor.tensor.defined()) return tensor.unread;
  if (const char* part = unsupported_part(tensor.name)) {
    result.problems.push_back(unsupported_text(tensor.source(), part));
    return part;
  }
  result.problems.push_back(concat(tensor.source(), tensor.shape(), " is left over: '",
                                   network.name, "' of depth ", network.depth(),
                                   " has no such tensor. Is it another architecture? If the tensor "
                                   "is not needed: shiftadd-convert --ignore '",
                                   tensor.source(), "'"));
  return "not part of the network";
}

// Numbers that are not finite, or not as float32, in which all is computed.
int64_t count_unusable(const Tensor& tensor) {
  return count_not_finite(tensor.dtype() == DType::kF64 ? tensor.to(DType::kF32) : tensor);
}

// Takes a tensor for a parameter, or says why it cannot be.
void use(const TranslatedTensor& tensor, const Parameter& parameter, Conversion& result) {
  const Shape shape = tensor.shape();
  const bool same_name = tensor.source() == parameter.name, same_shape = shape == parameter.shape;
  TensorReport entry{same_name ? TensorStatus::kUsed : TensorStatus::kRenamed,
                     parameter.name,
                     tensor.source(),
                     parameter.shape,
                     shape,
                     ""};
  const std::string what =
      same_name ? parameter.name : concat(tensor.source(), " (", parameter.name, ")");
  if (!tensor.tensor.defined()) {
    entry.status = TensorStatus::kUnused;
    entry.note = tensor.unread;
    result.problems.push_back(concat(what, " ", entry.note, ": expected floats"));
  } else if (!is_floating(tensor.tensor.dtype())) {
    entry.status = TensorStatus::kUnused;
    entry.note = concat("dtype ", tensor.tensor.dtype(), ": expected a floating one");
    result.problems.push_back(concat(what, " has ", entry.note));
  } else if (!same_shape && !differs_in_ones_only(shape, parameter.shape)) {
    entry.status = TensorStatus::kUnused;
    entry.note = "wrong shape";
    result.problems.push_back(concat(what, " has shape ", shape, ": expected ", parameter.shape));
  } else {
    if (!same_shape) entry.status = TensorStatus::kReshaped;
    if (const int64_t bad = count_unusable(tensor.tensor))
      result.problems.push_back(
          concat(what, " has ", bad, " values that are not finite (in float32)"));
    result.weights.emplace_back(parameter.name, tensor.tensor.reshape(parameter.shape));
  }
  result.report.push_back(std::move(entry));
}

// Of a network for gray images, the mean of the colours.
std::vector<float> for_channels(const std::vector<float>& colours, int64_t channels) {
  if (channels != 1) return colours;
  double sum = 0;
  for (const float each : colours) sum += each;
  return {static_cast<float>(sum / static_cast<double>(colours.size()))};
}

}  // namespace

Preprocess default_preprocess(const ModelSpec& spec, double share) {
  Preprocess result;
  result.crop = spec.image_size;
  constexpr int64_t kSmall = 64;  // such images are used as they are
  const int64_t side = result.crop_side();
  result.resize =
      side <= kSmall ? 0 : static_cast<int64_t>(static_cast<double>(side) / share + 0.5);
  result.mean = imagenet_mean(spec.in_channels);
  result.std = imagenet_std(spec.in_channels);
  return result;
}

Preprocess preprocess_of(const ModelSpec& spec, const Dialect& dialect) {
  const Preprocess sizes = default_preprocess(spec, dialect.crop_share);
  Preprocess result = dialect.preprocess;
  result.crop = sizes.crop;
  const bool squashes = result.resize_mode == ResizeMode::kSquash;  // then nothing is cut off
  result.resize = squashes ? result.crop_side() : sizes.resize;
  result.mean = for_channels(result.mean, spec.in_channels);
  result.std = for_channels(result.std, spec.in_channels);
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

Conversion convert_weights(const WeightsFile& file, const ModelSpec& spec,
                           const std::vector<Dialect>& dialects, const ConvertOptions& options) {
  return convert_weights(file, network_of(spec), dialects, options);
}

Conversion convert_weights(const WeightsFile& file, const Network& network,
                           const std::vector<Dialect>& dialects, const ConvertOptions& options) {
  const std::vector<Parameter> parameters = parameters_of(network);
  return fit_weights(file, translate(file, dialects, &parameters, options), network);
}

Conversion fit_weights(const WeightsFile& file, const Translation& translation,
                       const Network& network) {
  Conversion result;
  result.prefix = translation.prefix;
  result.dialect = translation.dialect.name;
  result.names = translation.names;
  result.problems = translation.problems;
  ByName by_name;
  for (const TranslatedTensor& tensor : translation.tensors) {
    if (!tensor.note.empty() || tensor.is_beside) continue;
    const auto [other, is_new] = by_name.emplace(tensor.name, &tensor);
    if (!is_new)
      result.problems.push_back(concat(other->second->source(), " and ", tensor.source(),
                                       " both become ", tensor.name, ": change the mapping"));
  }
  std::unordered_set<const TranslatedTensor*> used;
  for (const Parameter& parameter : parameters_of(network)) {
    const auto found = by_name.find(parameter.name);
    if (found == by_name.end()) {
      result.report.push_back(
          {TensorStatus::kMissing, parameter.name, "", parameter.shape, {}, ""});
      result.problems.push_back(
          concat(parameter.name, " is missing: expected shape ", parameter.shape));
      continue;
    }
    used.insert(found->second);
    use(*found->second, parameter, result);
  }
  for (const TranslatedTensor& tensor : translation.tensors) {
    if (used.contains(&tensor)) continue;
    result.report.push_back({TensorStatus::kUnused, tensor.name, tensor.source(), tensor.shape(),
                             tensor.shape(),
                             leftover_note(tensor, translation, network, by_name, result)});
  }
  for (const std::string& name : file.outside)
    result.report.push_back({TensorStatus::kUnused, name, name, {}, {}, "beside the state dict"});
  return result;
}

}  // namespace shiftadd
