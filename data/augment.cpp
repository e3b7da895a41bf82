// Augments for training: crop, flip, RandAugment, colour jitter, normalise, erase.
#include "data/augment.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/augment_geometry.h"
#include "data/color.h"
#include "data/erasing.h"
#include "data/preprocess.h"
#include "data/rand_augment.h"
#include "data/resize.h"

namespace shiftadd::data {

namespace {

int64_t rounded(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

// Inception's crop (arXiv:1409.4842) as torchvision's RandomResizedCrop: 10 tries, then the largest
// centre crop within the allowed ratios. The crop is cut out first, so that no filter reaches
// beyond it.
Image random_resized_crop(const Image& image, const AugmentOptions& options, const Preprocess& p,
                          Random& random) {
  constexpr int kTries = 10;
  const auto area = static_cast<double>(image.width * image.height);
  int64_t w = image.width, h = image.height, x = 0, y = 0;
  bool found = false;
  for (int attempt = 0; attempt < kTries && !found; ++attempt) {
    const double target = area * random.uniform(options.scale_min, options.scale_max);
    const double ratio =
        std::exp(random.uniform(std::log(options.ratio_min), std::log(options.ratio_max)));
    w = rounded(std::sqrt(target * ratio));
    h = rounded(std::sqrt(target / ratio));
    found = w > 0 && w <= image.width && h > 0 && h <= image.height;
  }
  if (found) {
    y = random.below(image.height - h + 1);
    x = random.below(image.width - w + 1);
  } else {
    const double ratio = static_cast<double>(image.width) / static_cast<double>(image.height);
    w = image.width;
    h = image.height;
    if (ratio < options.ratio_min)
      h = std::clamp<int64_t>(rounded(static_cast<double>(w) / options.ratio_min), 1, h);
    if (ratio > options.ratio_max)
      w = std::clamp<int64_t>(rounded(static_cast<double>(h) * options.ratio_max), 1, w);
    x = (image.width - w) / 2;
    y = (image.height - h) / 2;
  }
  return resize(crop(image, x, y, w, h), p.crop.width, p.crop.height, p.interpolation);
}

// Evaluation's resize, black padding on all sides, and a crop anywhere within.
Image padded_crop(const Image& image, const AugmentOptions& options, const Preprocess& p,
                  Random& random) {
  const Size size = resized_size(image, p);
  const auto offset = [&](int64_t length, int64_t wanted) {
    const int64_t room = length + 2 * options.padding - wanted;
    return (room >= 0 ? random.below(room + 1) : room / 2) - options.padding;
  };
  const int64_t y = offset(size.height, p.crop.height), x = offset(size.width, p.crop.width);
  return resize_window_padded(image, size.width, size.height, p.interpolation, x, y, p.crop.width,
                              p.crop.height);
}

Image random_crop(const Image& image, const AugmentOptions& options, const Preprocess& p,
                  Random& random) {
  if (image.width < 1 || image.height < 1) throw user_error("[augment] the image has no pixels");
  switch (options.crop) {
    case AugmentOptions::Crop::kRandomResized:
      return random_resized_crop(image, options, p, random);
    case AugmentOptions::Crop::kPadded:
      return padded_crop(image, options, p, random);
    case AugmentOptions::Crop::kNone:
      break;
  }
  return evaluation_crop(image, p);
}

void color_jitter(Image& image, double strength, Random& random) {
  using Adjust = void (*)(Image&, double);
  Adjust order[] = {adjust_brightness, adjust_contrast, adjust_saturation};
  for (int i = 2; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
  for (const Adjust adjust : order)
    adjust(image, random.uniform(std::max(0.0, 1 - strength), 1 + strength));
}

}  // namespace

void validate(const AugmentOptions& options, const std::string& where) {
  const auto check = [&](bool good, const char* key, const char* expected) {
    if (!good) throw key_error(where + "." + key, "expected ", expected);
  };
  const auto probability = [](double value) { return value >= 0 && value <= 1; };
  check(options.scale_min > 0 && options.scale_min <= options.scale_max && options.scale_max <= 1,
        "scale", "0 < smallest <= largest <= 1");
  check(options.ratio_min > 0 && options.ratio_min <= options.ratio_max &&
            std::isfinite(options.ratio_max),
        "ratio", "0 < smallest <= largest");
  check(options.padding >= 0 && options.padding <= 1024, "padding", "0 .. 1024 pixels");
  check(probability(options.horizontal_flip), "horizontal_flip", "a probability, 0 .. 1");
  check(options.color_jitter >= 0 && options.color_jitter <= 10, "color_jitter", "0 .. 10");
  check(probability(options.random_erasing), "random_erasing", "a probability, 0 .. 1");
  if (!options.rand_augment.empty())
    parse_rand_augment(options.rand_augment, where + ".rand_augment");
}

void augment_image(const Image& image, const AugmentOptions& options, const Preprocess& p,
                   Random& random, float* out) {
  Image result = random_crop(image, options, p, random);
  if (options.horizontal_flip > 0 && random.uniform() < options.horizontal_flip)
    flip_horizontally(result);
  if (!options.rand_augment.empty()) {
    Colour fill;
    for (std::size_t c = 0; c < 3; ++c) {
      const float mean = p.mean[std::min(c, p.mean.size() - 1)];  // gray stands for all three
      fill[c] = static_cast<uint8_t>(std::clamp<int64_t>(rounded(255.0 * mean), 0, 255));
    }
    rand_augment(result, parse_rand_augment(options.rand_augment, "rand_augment"), fill, random);
  }
  if (options.color_jitter > 0) color_jitter(result, options.color_jitter, random);
  normalise(result, p, out);
  random_erasing(out, p.channels(), p.crop.height, p.crop.width, options.random_erasing, random);
}

}  // namespace shiftadd::data
