// How a photograph becomes the network's input at evaluation: stored inside a model file.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/enum_names.h"

namespace shiftadd {

enum class Interpolation : uint8_t { kBilinear, kBicubic };
template <>
inline constexpr std::array kEnumNames<Interpolation> = {"bilinear", "bicubic"};

/// The most pixels of a side after resizing or cropping.
inline constexpr int64_t kLargestSide = 16384;

/// Shorter side to `resize` (0: no resize), centre crop of `crop` (black around a smaller image),
/// RGB / 255, minus mean, divided by std.
struct Preprocess {
  int64_t resize = 256, crop = 224;
  Interpolation interpolation = Interpolation::kBicubic;
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f}, std{0.229f, 0.224f, 0.225f};
  bool exif_orientation = false;

  bool operator==(const Preprocess&) const = default;
};

/// The double whose shortest decimal is the float's: 0.485f gives 0.485 (not 0.48500001...), for
/// text that reads back to the same bits.
double shortest_decimal(float value);

class ConfigVisitor;
struct ConfigRange;
/// Lists the options that are no sizes: interpolation, mean and std (in these ranges),
/// exif_orientation.
void list_colours(ConfigVisitor& visitor, Preprocess& preprocess, const ConfigRange& mean,
                  const ConfigRange& std);

/// {"crop": 224, "interpolation": "bicubic", "mean": [0.485, 0.456, 0.406], ...}
nlohmann::json to_json(const Preprocess& preprocess);
/// Keys that `text` leaves out are those of `base`. Throws Error (user) "SOURCE:LINE: key: what is
/// wrong".
Preprocess parse_preprocess(std::string_view text, const std::string& source,
                            const Preprocess& base = {});
/// A line per key: default, range, description.
std::string preprocess_help();

}  // namespace shiftadd
