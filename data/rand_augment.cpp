// Parses RandAugment's policy, and draws its operations and their strengths.
#include "data/rand_augment.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "data/color.h"

namespace shiftadd::data {

namespace {

constexpr double kLevels = 10;
constexpr double kUniformAbove = 100;  // a larger mstd asks for a uniform magnitude

constexpr const char* kNames[kRandOperations] = {
    "AutoContrast", "Equalize",    "Invert", "Rotate",        "Posterize",
    "Solarize",     "SolarizeAdd", "Color",  "Contrast",      "Brightness",
    "Sharpness",    "ShearX",      "ShearY", "TranslateXRel", "TranslateYRel"};

double either_sign(double value, Random& random) { return random.uniform() > 0.5 ? -value : value; }

double parse_number(const std::string& text, const std::string& part, const std::string& where) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    throw key_error(where, "'", part,
                    "' needs a number behind its letters, as in rand-m9-mstd0.5-inc1");
  return value;
}

void check_range(double value, double low, double high, const std::string& part,
                 const std::string& where) {
  if (value < low || value > high)
    throw key_error(where, "'", part, "' must lie in ", low, " .. ", high);
}

}  // namespace

RandAugment parse_rand_augment(const std::string& text, const std::string& where) {
  RandAugment policy;
  std::size_t at = text.find('-');
  if (text.substr(0, at) != "rand")
    throw key_error(where, "'", text,
                    "' is not a RandAugment policy: expected rand-m9-mstd0.5-inc1 or similar");
  while (at != std::string::npos) {
    const std::size_t next = text.find('-', at + 1);
    const std::string part = text.substr(at + 1, next == std::string::npos ? next : next - at - 1);
    at = next;
    const std::size_t digits = std::min(part.find_first_of("0123456789."), part.size());
    const std::string key = part.substr(0, digits);
    const auto number = [&](double low, double high) {
      const double value = parse_number(part.substr(digits), part, where);
      check_range(value, low, high, part, where);
      return value;
    };
    if (key == "m") {
      policy.magnitude = number(0, kLevels);
    } else if (key == "n") {
      policy.operations = static_cast<int64_t>(number(1, kRandOperations));
    } else if (key == "mstd") {
      policy.magnitude_std = number(0, 1e6);
    } else if (key == "mmax") {
      policy.magnitude_max = number(0, kLevels);
    } else if (key == "p") {
      policy.probability = number(0, 1);
    } else if (key == "inc") {
      policy.increasing = number(0, 1) != 0;
    } else {
      throw user_error(where, ": unknown part '", part,
                       "': known are m, n, mstd, mmax, p and inc with a number");
    }
  }
  return policy;
}

const char* rand_operation_name(int operation) { return kNames[operation]; }

void apply_rand_operation(Image& image, int operation, double magnitude, bool increasing,
                          const Colour& fill, Random& random) {
  const double level = magnitude / kLevels;
  const auto enhancement = [&] {
    if (!increasing) return level * 1.8 + 0.1;
    return std::max(0.1, 1 + either_sign(level * 0.9, random));
  };
  const auto warp = [&](const Affine& matrix) {
    const bool cubic = random.below(2) == 1;
    image =
        transform(image, matrix, cubic ? Interpolation::kBicubic : Interpolation::kBilinear, fill);
  };
  switch (operation) {
    case 0:
      return autocontrast(image);
    case 1:
      return equalize(image);
    case 2:
      return invert(image);
    case 3:
      return warp(rotation(either_sign(level * 30, random), image.width, image.height));
    case 4: {
      const int bits = static_cast<int>(level * 4);
      return posterize(image, increasing ? 4 - bits : bits);
    }
    case 5: {
      const int threshold = std::min(256, static_cast<int>(level * 256));
      return solarize(image, increasing ? 256 - threshold : threshold);
    }
    case 6:
      return solarize_add(image, std::min(128, static_cast<int>(level * 110)));
    case 7:
      return adjust_saturation(image, enhancement());
    case 8:
      return adjust_contrast(image, enhancement());
    case 9:
      return adjust_brightness(image, enhancement());
    case 10:
      return adjust_sharpness(image, enhancement());
    case 11:
      return warp({1, either_sign(level * 0.3, random), 0, 0, 1, 0});
    case 12:
      return warp({1, 0, 0, either_sign(level * 0.3, random), 1, 0});
    case 13:
      return warp(
          {1, 0, either_sign(level * 0.45, random) * static_cast<double>(image.width), 0, 1, 0});
    case 14:
      return warp(
          {1, 0, 0, 0, 1, either_sign(level * 0.45, random) * static_cast<double>(image.height)});
    default:
      throw failure("[rand_augment] no operation ", operation);
  }
}

void rand_augment(Image& image, const RandAugment& policy, const Colour& fill, Random& random) {
  for (int64_t i = 0; i < policy.operations; ++i) {
    const auto operation = static_cast<int>(random.below(kRandOperations));
    if (random.uniform() >= policy.probability) continue;
    double magnitude = policy.magnitude;
    if (policy.magnitude_std > kUniformAbove) {
      magnitude = random.uniform(0, magnitude);
    } else if (policy.magnitude_std > 0) {
      magnitude += policy.magnitude_std * random.normal();
    }
    magnitude = std::clamp(magnitude, 0.0, policy.magnitude_max);
    apply_rand_operation(image, operation, magnitude, policy.increasing, fill, random);
  }
}

}  // namespace shiftadd::data
