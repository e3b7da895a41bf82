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

void list_channels(ConfigVisitor& v, const char* key, std::array<float, 3>& value,
                   const Range& range, const char* about) {
  std::vector<double> wide;
  for (float channel : value) wide.push_back(shortest_decimal(channel));
  v.tuple(key, wide, range, about);
  for (std::size_t i = 0; i < value.size(); ++i) {
    value[i] = static_cast<float>(wide[i]);
    if (!std::isfinite(value[i]) || !range.contains(value[i]))
      v.reject(key, concat("float32 cannot hold ", wide[i]));
  }
}

void list_preprocess(ConfigVisitor& v, Preprocess& p) {
  v.integer("resize", p.resize, Range::between(0, kLargestSide),
            "Shorter side after resizing, pixels. 0: no resize.");
  v.integer("crop", p.crop, Range::between(1, kLargestSide),
            "Side of the square cut from the centre, black around a smaller image.");
  list_colours(v, p, Range::any(), Range::above(0));
}

}  // namespace

void list_colours(ConfigVisitor& v, Preprocess& p, const Range& mean, const Range& std) {
  list_choice(v, "interpolation", p.interpolation, "Filter of every resize.");
  list_channels(v, "mean", p.mean, mean, "Of each channel, on the scale 0 to 1.");
  list_channels(v, "std", p.std, std, "Of each channel, on the scale 0 to 1.");
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
  read_options(root, p, list_preprocess);
  return p;
}

std::string preprocess_help() {
  Preprocess defaults;
  return config_help([&](ConfigVisitor& v) { list_preprocess(v, defaults); });
}

}  // namespace shiftadd
