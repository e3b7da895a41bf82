// Reads Hugging Face's preprocessor_config.json: resize, crop, rescale and normalise, in this
// order.
#include <cmath>

#include "model/file_hints_readers.h"

namespace shiftadd::hints {
namespace {

// What "size" or "crop_size" says: both sides, or the shorter one.
struct Sides {
  Grid pixels;
  bool both = true;
};

bool starts_with_any(const std::string& text, std::initializer_list<const char*> beginnings) {
  for (const char* beginning : beginnings)
    if (text.starts_with(beginning)) return true;
  return false;
}

// Those of CLIP and of BiT (DINOv2) mean the shorter side by a number without a name, the others
// both sides.
bool number_is_shorter(const ForeignObject& config) {
  const std::string type = config.text("image_processor_type")
                               .value_or(config.text("feature_extractor_type").value_or(""));
  return starts_with_any(type, {"CLIP", "Bit"});
}

// Nothing, and a note, for what says neither.
std::optional<Sides> sides(const ForeignObject& config, const char* key, FileHints& hints) {
  const ConfigNode* value = config.find(key);
  if (value && !value->is_object())
    return Sides{*shape(config, key),
                 value->kind == ConfigNode::Kind::kArray || !number_is_shorter(config)};
  if (value) {
    const ForeignObject object(*value, key);
    const auto height = pixels(object, "height"), width = pixels(object, "width");
    const auto shorter = pixels(object, "shortest_edge"), longer = pixels(object, "longest_edge");
    if (height && width) return Sides{{*height, *width}, true};
    if (shorter && !longer && !height && !width) return Sides{*shorter, false};
  }
  note_images(config, key, "is neither height and width nor a shortest_edge alone", hints);
  return std::nullopt;
}

// Sets resize and crop; false, with a note, where they cannot be followed.
bool set_sizes(const ForeignObject& config, Preprocess& preprocess, FileHints& hints) {
  const bool crops = config.flag("do_center_crop").value_or(false);
  std::optional<Sides> crop, resize;
  if (crops && !(crop = sides(config, "crop_size", hints))) return false;
  if (config.flag("do_resize").value_or(true)) {
    if (!(resize = sides(config, "size", hints))) return false;
    if (!crops && !resize->both) {
      note_images(config, "size", "keeps an image's shape, without a crop", hints);
      return false;
    }
  } else if (!crops) {
    note_images(config, "do_resize", "leaves images as large as they are", hints);
    return false;
  }
  preprocess.crop = crop ? crop->pixels : resize->pixels;
  preprocess.resize = resize ? resize->pixels.shorter() : 0;
  if (!resize || !resize->both) return true;
  preprocess.resize_mode = ResizeMode::kSquash;  // to the crop's shape
  const Grid& a = resize->pixels;
  const Grid& b = preprocess.crop;
  if (a.height * b.width == a.width * b.height) return true;
  note_images(config, "size", "has another shape than the crop", hints);
  return false;
}

// Sets the filter, from the number that the Python imaging library has for it.
bool set_filter(const ForeignObject& config, Preprocess& preprocess, FileHints& hints) {
  constexpr double kBilinear = 2, kBicubic = 3;
  const auto filter = config.number("resample");
  if (filter == kBilinear || filter == kBicubic) {
    preprocess.interpolation =
        filter == kBilinear ? Interpolation::kBilinear : Interpolation::kBicubic;
    return true;
  }
  note_images(config, "resample", "is no filter here: expected 2 (bilinear) or 3 (bicubic)", hints);
  return false;
}

// Sets mean and deviation on the scale 0 to 1, whatever scale the file normalises on.
bool set_scaled_colours(const ForeignObject& config, Preprocess& preprocess, FileHints& hints) {
  Colours given = {{0, 0, 0}, {1, 1, 1}};
  if (config.flag("do_normalize").value_or(true)) {
    for (const char* key : {"image_mean", "image_std"})
      if (!config.find(key)) {
        note_images(config, key, "says nothing of the channels", hints);
        return false;
      }
    given = colours(config, "image_mean", "image_std", given);
  }
  double scale = 1;  // of the file, beside 0 to 1
  if (!config.flag("do_rescale").value_or(true))
    scale = 255;
  else if (const auto factor = config.number("rescale_factor"))
    scale = 255 * *factor;
  constexpr double kRounding = 1e-6;  // 1/255 is written with more or fewer digits
  if (std::abs(scale - 1) < kRounding) scale = 1;
  set_colours(config, "rescale_factor", given, scale, preprocess);
  return true;
}

}  // namespace

void read_hugging_face_images(const ForeignObject& config, FileHints& hints) {
  Preprocess preprocess;
  if (config.flag("do_flip_channel_order").value_or(false)) {
    note_images(config, "do_flip_channel_order", "swaps red and blue", hints);
    return;
  }
  // Another processor's, which resizes to size / crop_pct.
  if (config.find("crop_pct")) {
    note_images(config, "crop_pct", "is no way to crop here", hints);
    return;
  }
  if (set_sizes(config, preprocess, hints) && set_filter(config, preprocess, hints) &&
      set_scaled_colours(config, preprocess, hints))
    hints.preprocess = preprocess;
}

}  // namespace shiftadd::hints
