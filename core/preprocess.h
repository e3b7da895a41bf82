// How a photograph becomes the network's input at evaluation: stored inside a model file.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/enum_names.h"
#include "core/error.h"
#include "core/grid.h"

namespace shiftadd {

enum class Interpolation : uint8_t { kBilinear, kBicubic };
template <>
inline constexpr std::array kEnumNames<Interpolation> = {"bilinear", "bicubic"};

/// The most pixels of a side after resizing or cropping.
inline constexpr int64_t kLargestSide = 16384;
/// kShorter: an image keeps its shape. kSquash: it is given the crop's.
enum class ResizeMode : uint8_t { kShorter, kSquash };
template <>
inline constexpr std::array kEnumNames<ResizeMode> = {"shorter", "squash"};

/// ImageNet's mean and standard deviation of red, green and blue, on the scale 0 to 1; for one
/// channel, which is gray, the means of the three.
std::vector<float> imagenet_mean(int64_t channels);
std::vector<float> imagenet_std(int64_t channels);

/// Shorter side to `resize` (0: no resize), centre crop of `crop` (black around a smaller image),
/// RGB, or the gray made of it, / 255, minus mean, divided by std.
struct Preprocess {
  int64_t resize = 256;  // the shorter side, whatever the mode
  ResizeMode resize_mode = ResizeMode::kShorter;
  Grid crop = 224;
  Interpolation interpolation = Interpolation::kBicubic;
  std::vector<float> mean = imagenet_mean(3), std = imagenet_std(3);  // 3 numbers, or 1 of gray
  bool exif_orientation = false;

  int64_t channels() const { return static_cast<int64_t>(mean.size()); }
  int64_t values() const { return channels() * crop.count(); }  // of one image
  Shape batch_shape(int64_t images) const { return {images, channels(), crop.height, crop.width}; }
  /// The side of the crop that `resize` is measured by: where an image keeps its shape, the longer
  /// one must fit into its shorter side.
  int64_t crop_side() const {
    return resize_mode == ResizeMode::kSquash ? crop.shorter() : crop.longer();
  }

  bool operator==(const Preprocess&) const = default;
};

/// The double whose shortest decimal is the float's: 0.485f gives 0.485 (not 0.48500001...), for
/// text that reads back to the same bits.
double shortest_decimal(float value);

class ConfigVisitor;
struct ConfigRange;
/// Lists the options that are no sizes: resize_mode, interpolation, mean and std (in these ranges),
/// exif_orientation.
void list_colours(ConfigVisitor& visitor, Preprocess& preprocess, const ConfigRange& mean,
                  const ConfigRange& std);

/// Throws Error (user) with the key mean or std, under `where`, unless both are of so many
/// channels.
void require_channels(const Preprocess& preprocess, int64_t channels, const std::string& where);

/// {"crop": 224, "interpolation": "bicubic", "mean": [0.485, 0.456, 0.406], ...}
nlohmann::json to_json(const Preprocess& preprocess);
/// Keys that `text` leaves out are those of `base`. Throws Error (user) "SOURCE:LINE: key: what is
/// wrong".
Preprocess parse_preprocess(std::string_view text, const std::string& source,
                            const Preprocess& base = {});
/// A line per key: default, range, description.
std::string preprocess_help();

}  // namespace shiftadd
