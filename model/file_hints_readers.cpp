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

}  // namespace

std::optional<int64_t> pixels(const ForeignObject& object, const char* key) {
  const auto count = object.count(key);
  if (count > kLargestSide) object.expected(key, concat("at most ", kLargestSide, " pixels"));
  return count;
}

std::optional<int64_t> side(const ForeignObject& object, const char* key, FileHints& hints) {
  const ConfigNode* value = object.find(key);
  if (!value) return std::nullopt;
  if (value->kind == ConfigNode::Kind::kNumber) return pixels(object, key);
  const auto is_side = [](const ConfigNode& item) {
    return item.kind == ConfigNode::Kind::kNumber && item.number() >= 1 &&
           item.number() <= kLargestSide && item.number() == std::floor(item.number());
  };
  if (value->kind != ConfigNode::Kind::kArray || value->items.size() != 2 ||
      !is_side(value->items[0]) || !is_side(value->items[1]))
    object.expected(key, "a number of pixels, or a list of two");
  const double height = value->items[0].number(), width = value->items[1].number();
  if (height == width) return static_cast<int64_t>(height);
  hints.notes.push_back(
      concat(object.where(key), ": ", height, " by ", width, " is no square: not used"));
  return std::nullopt;
}

Channels channels(const ForeignObject& object, const char* key, double least,
                  const Channels& otherwise) {
  const ConfigNode* value = object.find(key);
  if (!value) return otherwise;
  const std::string what =
      concat("a list of three numbers", std::isinf(least) ? "" : concat(" above ", least));
  if (value->kind != ConfigNode::Kind::kArray ||
      (value->items.size() != 1 && value->items.size() != otherwise.size()))
    object.expected(key, what);
  Channels numbers = {};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const ConfigNode& item = value->items[value->items.size() == 1 ? 0 : i];
    numbers[i] = item.number();
    const auto stored = static_cast<float>(numbers[i]);
    if (item.kind != ConfigNode::Kind::kNumber || !std::isfinite(stored) || !(stored > least))
      throw user_error(object.where(key), ": expected ", what, ", got ", item.described());
  }
  return numbers;
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

void set_squash(const ForeignObject& object, const char* key, int64_t size, Preprocess& preprocess,
                FileHints& hints) {
  preprocess.resize = size;
  hints.notes.push_back(concat(object.where(key), ": images are squashed to ", size, " x ", size,
                               " there; here the shorter side is resized to that"));
}

void note_images(const ForeignObject& object, const char* key, const std::string& why,
                 FileHints& hints) {
  hints.notes.push_back(shown(object, key) + " " + why +
                        ", so what this file says of images is not used");
}

}  // namespace shiftadd::hints
