// Lists the options of a Preprocess once, for reading it from JSON and writing it as JSON.
#include "core/preprocess.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/config/options.h"

namespace shiftadd {
namespace {

using Range = ConfigRange;

void list_channels(ConfigVisitor& v, const char* key, std::vector<float>& value, const Range& range,
                   const char* about) {
  std::vector<double> wide;
  for (float channel : value) wide.push_back(shortest_decimal(channel));
  v.numbers(key, wide, range, about);
  if (wide.size() != 1 && wide.size() != 3)
    v.reject(key, concat("expected 3 numbers (red, green, blue) or 1 (gray), got ", wide.size()));
  value.clear();
  for (const double channel : wide) {
    value.push_back(static_cast<float>(channel));
    if (!std::isfinite(value.back()) || !range.contains(value.back()))
      v.reject(key, concat("float32 cannot hold ", channel));
  }
}

void list_preprocess(ConfigVisitor& v, Preprocess& p) {
  v.integer("resize", p.resize, Range::between(0, kLargestSide),
            "Shorter side after resizing, pixels. 0: no resize.");
  v.size("crop", p.crop, Range::between(1, kLargestSide),
         "Size cut from the centre, pixels, black around a smaller image.");
  list_colours(v, p, Range::any(), Range::above(0));
}

}  // namespace

std::vector<float> imagenet_mean(int64_t channels) {
  return channels == 1 ? std::vector{0.449f} : std::vector{0.485f, 0.456f, 0.406f};
}

std::vector<float> imagenet_std(int64_t channels) {
  return channels == 1 ? std::vector{0.226f} : std::vector{0.229f, 0.224f, 0.225f};
}

void require_channels(const Preprocess& p, int64_t channels, const std::string& where) {
  for (const auto& [key, value] : {std::pair{"mean", &p.mean}, {"std", &p.std}})
    if (static_cast<int64_t>(value->size()) != channels)
      throw key_error(where + "." + key, "has ", value->size(), " numbers, but the network takes ",
                      channels == 1 ? "gray images: expected 1"
                                    : concat(channels, " channels: expected as many"));
}

void list_colours(ConfigVisitor& v, Preprocess& p, const Range& mean, const Range& std) {
  list_choice(v, "resize_mode", p.resize_mode,
              "shorter: images keep their shape; squash: both sides are resized, to the crop's "
              "shape.");
  list_choice(v, "interpolation", p.interpolation, "Filter of every resize.");
  list_channels(v, "mean", p.mean, mean,
                "Of red, green and blue, or of gray alone, on the scale 0 to 1.");
  list_channels(v, "std", p.std, std, "Of the same, on the scale 0 to 1.");
  v.boolean("exif_orientation", p.exif_orientation,
            "Turn JPEG images upright as their EXIF tag says.");
}

double shortest_decimal(float value) {
  char text[32];
  *std::to_chars(text, text + sizeof text - 1, value).ptr = '\0';
  return std::strtod(text, nullptr);
}

nlohmann::json to_json(const Preprocess& preprocess) {
  Preprocess p = preprocess;
  return config_json([&](ConfigVisitor& v) { list_preprocess(v, p); });
}

Preprocess parse_preprocess(std::string_view text, const std::string& source,
                            const Preprocess& base) {
  const ConfigNode root = parse_config_node(text, source);
  Preprocess p = base;
  const ConfigReader reader = read_options(root, p, list_preprocess);
  if (p.mean.size() != p.std.size())
    reader.fail(reader.has("std") ? "std" : "mean",
                concat("mean has ", p.mean.size(), " numbers and std ", p.std.size(),
                       ": expected 3 each, or 1 each for gray images"));
  return p;
}

std::string preprocess_help() {
  Preprocess defaults;
  return config_help([&](ConfigVisitor& v) { list_preprocess(v, defaults); });
}

}  // namespace shiftadd
