// JSON form of Preprocess.
#include "core/preprocess.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.h"
#include "core/io/json_text.h"
#include "core/names.h"

namespace shiftadd {
namespace {

constexpr const char* kInterpolationNames[] = {"bilinear", "bicubic"};

void read_channels(const nlohmann::json& json, const char* key, std::array<float, 3>& out) {
  const auto& value = json.at(key);
  const bool good =
      value.is_array() && value.size() == 3 &&
      std::all_of(value.begin(), value.end(), [](const auto& v) { return v.is_number(); });
  if (!good)
    throw user_error("[preprocess] ", key, ": expected three numbers, got ", json_text(value));
  for (int i = 0; i < 3; ++i) out[i] = value[i].get<float>();
}

}  // namespace

double shortest_decimal(float value) {
  char text[32];
  *std::to_chars(text, text + sizeof text - 1, value).ptr = '\0';
  return std::strtod(text, nullptr);
}

nlohmann::json to_json(const Preprocess& p) {
  const auto channels = [](const std::array<float, 3>& values) {
    nlohmann::json list = nlohmann::json::array();
    for (float value : values) list.push_back(shortest_decimal(value));
    return list;
  };
  return {{"resize", p.resize},
          {"crop", p.crop},
          {"interpolation", kInterpolationNames[static_cast<int>(p.interpolation)]},
          {"mean", channels(p.mean)},
          {"std", channels(p.std)},
          {"exif_orientation", p.exif_orientation}};
}

Preprocess preprocess_from_json(const nlohmann::json& json) {
  static const std::vector<std::string> keys = {"resize", "crop", "interpolation",
                                                "mean",   "std",  "exif_orientation"};
  if (!json.is_object())
    throw user_error("[preprocess] expected a JSON object, got ", json.type_name());
  for (const auto& [key, value] : json.items())
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      throw user_error("[preprocess] unknown key '", key, "'", did_you_mean(key, keys));
  Preprocess p;
  const auto size = [&](const char* key, int64_t least, int64_t& out) {
    if (!json.contains(key)) return;
    const auto& value = json.at(key);
    if (!value.is_number_integer() || value.get<int64_t>() < least || value.get<int64_t>() > 16384)
      throw user_error("[preprocess] ", key, ": expected a whole number from ", least,
                       " to 16384, got ", json_text(value));
    out = value.get<int64_t>();
  };
  size("resize", 0, p.resize);
  size("crop", 1, p.crop);
  if (json.contains("interpolation")) {
    const auto& value = json.at("interpolation");
    if (value == kInterpolationNames[0])
      p.interpolation = Interpolation::kBilinear;
    else if (value == kInterpolationNames[1])
      p.interpolation = Interpolation::kBicubic;
    else
      throw user_error("[preprocess] interpolation: expected 'bilinear' or 'bicubic', got ",
                       json_text(value));
  }
  if (json.contains("mean")) read_channels(json, "mean", p.mean);
  if (json.contains("std")) read_channels(json, "std", p.std);
  for (int i = 0; i < 3; ++i)
    if (!std::isfinite(p.mean[i]) || !(p.std[i] > 0) || !std::isfinite(p.std[i]))
      throw user_error("[preprocess] mean must be finite and std above 0 in every channel");
  if (json.contains("exif_orientation")) {
    if (!json.at("exif_orientation").is_boolean())
      throw user_error("[preprocess] exif_orientation: expected true or false, got ",
                       json_text(json.at("exif_orientation")));
    p.exif_orientation = json.at("exif_orientation").get<bool>();
  }
  return p;
}

}  // namespace shiftadd
