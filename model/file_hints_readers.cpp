// What the readers of publishers' configuration files share: sides, colours, names of filters and
// of activations.
#include "model/file_hints_readers.h"

#include <cmath>
#include <map>

namespace shiftadd::hints {
namespace {

std::string shown(const ForeignObject& object, const char* key) {
  const ConfigNode* value = object.find(key);
  return object.where(key) + ": " + (value ? value->described() : "nothing");
}

std::vector<double> channels(const ForeignObject& object, const char* key, double least,
                             const std::vector<double>& otherwise) {
  const ConfigNode* value = object.find(key);
  if (!value) return otherwise;
  const std::string what = concat("a list of three numbers, or of one for gray images",
                                  std::isinf(least) ? "" : concat(", above ", least));
  if (value->kind != ConfigNode::Kind::kArray ||
      (value->items.size() != 1 && value->items.size() != 3))
    object.expected(key, what);
  std::vector<double> numbers;
  for (const ConfigNode& item : value->items) {
    numbers.push_back(item.number());
    const auto stored = static_cast<float>(numbers.back());
    if (item.kind != ConfigNode::Kind::kNumber || !std::isfinite(stored) || !(stored > least))
      throw user_error(object.where(key), ": expected ", what, ", got ", item.described());
  }
  return numbers;
}

}  // namespace

std::optional<int64_t> pixels(const ForeignObject& object, const char* key) {
  const auto count = object.count(key);
  if (count > kLargestSide) object.expected(key, concat("at most ", kLargestSide, " pixels"));
  return count;
}

std::optional<Grid> shape(const ForeignObject& object, const char* key) {
  const ConfigNode* value = object.find(key);
  if (!value) return std::nullopt;
  if (value->kind == ConfigNode::Kind::kNumber) return Grid(*pixels(object, key));
  const auto is_side = [](const ConfigNode& item) {
    return item.kind == ConfigNode::Kind::kNumber && item.number() >= 1 &&
           item.number() <= kLargestSide && item.number() == std::floor(item.number());
  };
  if (value->kind != ConfigNode::Kind::kArray || value->items.size() != 2 ||
      !is_side(value->items[0]) || !is_side(value->items[1]))
    object.expected(key, "a number of pixels, or a list of two");
  return Grid(static_cast<int64_t>(value->items[0].number()),
              static_cast<int64_t>(value->items[1].number()));
}

std::optional<int64_t> patch_side(const ForeignObject& object, const char* key, FileHints& hints) {
  const auto patch = shape(object, key);
  if (!patch) return std::nullopt;
  if (patch->is_square()) return patch->height;
  hints.unsupported.push_back(
      concat(object.where(key), ": patches of ", *patch, " are no squares"));
  return std::nullopt;
}

Colours colours_of(const Preprocess& preprocess) {
  Colours wide;
  for (const float each : preprocess.mean) wide.mean.push_back(shortest_decimal(each));
  for (const float each : preprocess.std) wide.std.push_back(shortest_decimal(each));
  return wide;
}

Colours colours(const ForeignObject& object, const char* mean, const char* std,
                const Colours& otherwise) {
  Colours read = {channels(object, mean, -INFINITY, otherwise.mean),
                  channels(object, std, 0, otherwise.std)};
  if (read.mean.size() != read.std.size())
    object.expected(std, concat("as many numbers as ", mean, " has, ", read.mean.size()));
  return read;
}

void set_colours(const ForeignObject& object, const char* key, const Colours& colours, double scale,
                 Preprocess& preprocess) {
  preprocess.mean.clear();
  preprocess.std.clear();
  for (std::size_t c = 0; c < colours.mean.size(); ++c) {
    preprocess.mean.push_back(static_cast<float>(colours.mean[c] / scale));
    preprocess.std.push_back(static_cast<float>(colours.std[c] / scale));
    if (!std::isfinite(preprocess.mean[c]) || !std::isfinite(preprocess.std[c]) ||
        !(preprocess.std[c] > 0))
      object.expected(key, "a scale on which float32 holds mean and deviation");
  }
}

void set_classes(const ForeignObject& object, const char* key, FileHints& hints) {
  const ConfigNode* list = object.find(key);
  if (!list) return;
  if (list->kind != ConfigNode::Kind::kArray) object.expected(key, "a list of names");
  for (const ConfigNode& item : list->items) {
    if (item.kind != ConfigNode::Kind::kString) object.expected(key, "a list of names");
    hints.classes.push_back(item.text);
  }
}

void set_activation(const ForeignObject& object, const char* key, FileHints& hints) {
  static const std::map<std::string, HiddenActivation> kNames = {
      {"gelu", HiddenActivation::kGelu},
      {"gelu_python", HiddenActivation::kGelu},
      {"gelu_erf", HiddenActivation::kGelu},
      {"gelu_new", HiddenActivation::kGeluTanh},
      {"gelu_fast", HiddenActivation::kGeluTanh},
      {"gelu_tanh", HiddenActivation::kGeluTanh},
      {"gelu_pytorch_tanh", HiddenActivation::kGeluTanh},
      {"quick_gelu", HiddenActivation::kQuickGelu},
      {"relu", HiddenActivation::kRelu}};
  const auto name = object.text(key);
  if (!name) return;
  if (const auto found = kNames.find(*name); found != kNames.end())
    hints.activation = found->second;
  else
    hints.unsupported.push_back(shown(object, key) + " is no activation of a network here");
}

std::optional<Interpolation> interpolation(const ForeignObject& object, const char* key,
                                           FileHints& hints) {
  const std::string name = object.text(key).value_or("bicubic");
  for (const Interpolation each : {Interpolation::kBilinear, Interpolation::kBicubic})
    if (name == name_of(each)) return each;
  note_images(object, key, "is no filter here: expected bilinear or bicubic", hints);
  return std::nullopt;
}

void note_images(const ForeignObject& object, const char* key, const std::string& why,
                 FileHints& hints) {
  hints.notes.push_back(shown(object, key) + " " + why +
                        ", so what this file says of images is not used");
}

}  // namespace shiftadd::hints
