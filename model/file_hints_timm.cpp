// Reads config.json as timm writes it: the architecture's name, and how its images are prepared.
#include <cmath>

#include "model/file_hints_readers.h"

namespace shiftadd::hints {
namespace {

constexpr double kCropShare = 0.875;  // timm's, where a file does not say it

// The side of "input_size": [channels, height, width].
std::optional<int64_t> input_size(const ForeignObject& config, FileHints& hints) {
  const ConfigNode* size = config.find("input_size");
  if (!size) return std::nullopt;
  if (size->kind != ConfigNode::Kind::kArray || size->items.size() != 3)
    config.expected("input_size", "a list of channels, height and width");
  for (const ConfigNode& item : size->items)
    if (item.kind != ConfigNode::Kind::kNumber || item.number() < 1 ||
        item.number() > kLargestSide || item.number() != std::floor(item.number()))
      throw user_error(config.where("input_size"), ": expected whole numbers from 1 to ",
                       kLargestSide, ", got ", item.described());
  hints.channels = static_cast<int64_t>(size->items[0].number());
  if (size->items[1].number() == size->items[2].number())
    return static_cast<int64_t>(size->items[1].number());
  note_images(config, "input_size", "is no square", hints);
  return std::nullopt;
}

// The shorter side before a crop of `crop`.
int64_t resize_of(const ForeignObject& config, int64_t crop) {
  const double share = config.number("crop_pct").value_or(kCropShare);
  const double resize = std::floor(static_cast<double>(crop) / share);
  if (!(share > 0 && share <= 1 && resize <= kLargestSide))
    config.expected("crop_pct", concat("the share of an image that is cut out, up to 1, so that ",
                                       "it is resized to at most ", kLargestSide));
  return static_cast<int64_t>(resize);
}

void read_preprocess(const ForeignObject& config, FileHints& hints) {
  const std::optional<int64_t> crop = input_size(config, hints);
  if (!crop) return;
  if (!hints.image_size) hints.image_size = *crop;
  Preprocess preprocess = {.resize = resize_of(config, *crop), .crop = *crop};
  set_colours(config, "std", colours(config, "mean", "std", colours_of({})), 1, preprocess);
  const auto filter = interpolation(config, "interpolation", hints);
  if (!filter) return;
  preprocess.interpolation = *filter;
  const std::string mode = config.text("crop_mode").value_or("center");
  if (mode == "squash") preprocess.resize_mode = ResizeMode::kSquash;
  if (mode == "squash" || mode == "center")
    hints.preprocess = preprocess;
  else
    note_images(config, "crop_mode", "is no way to crop here", hints);
}

// "global_pool"; "" says that the features are left as they are.
void read_pooling(const ForeignObject& config, FileHints& hints) {
  const std::string name = config.text("global_pool").value_or("");
  if (name == "token")
    hints.pooling = Pooling::kClassToken;
  else if (name == "avg")
    hints.pooling = Pooling::kMean;
  else if (!name.empty())
    hints.unsupported.push_back(
        concat(config.where("global_pool"), ": \"", name, "\" is no pooling of a network here"));
}

void read_model_args(const ForeignObject& args, FileHints& hints) {
  hints.heads = args.count("num_heads");
  hints.image_size = shape(args, "img_size");
  hints.patch_size = patch_side(args, "patch_size", hints);
  hints.channels = args.count("in_chans");
  hints.qkv_bias = args.flag("qkv_bias");
  set_activation(args, "act_layer", hints);
  if (args.find("global_pool")) read_pooling(args, hints);
}

}  // namespace

bool is_timm(const ForeignObject& config) {
  const ConfigNode* name = config.find("architecture");
  return name && name->kind == ConfigNode::Kind::kString;
}

void read_timm(const ForeignObject& config, FileHints& hints) {
  hints.architecture = *config.text("architecture");
  hints.class_count = config.count("num_classes", 0);
  read_pooling(config, hints);
  if (const auto args = config.object("model_args")) read_model_args(*args, hints);
  // Older files have at the top what stands in pretrained_cfg now.
  const ForeignObject pretrained = config.object("pretrained_cfg").value_or(config);
  if (const auto tag = pretrained.text("tag"); tag && !tag->empty())
    hints.architecture += "." + *tag;
  read_preprocess(pretrained, hints);
  set_classes(config, "label_names", hints);
}

}  // namespace shiftadd::hints
