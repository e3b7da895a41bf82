// Evaluation's road from pixels to input: resize, centre crop, normalise.
#include "data/preprocess.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/color.h"
#include "data/resize.h"

namespace shiftadd::data {

namespace {

// First pixel of the centre crop along one axis, negative where padding comes first: torchvision's
// CenterCrop pads with the odd pixel behind, and crops with round half to even.
int64_t center(int64_t have, int64_t wanted) {
  if (have < wanted) return -((wanted - have) / 2);
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(have - wanted) / 2.0));
}

constexpr int kByteValues = 256;

void require_crop(const Image& image, const Preprocess& p) {
  if (image.width != p.crop.width || image.height != p.crop.height)
    throw user_error("[normalise] image is ", Grid{image.height, image.width},
                     " (height x width), expected the crop ", p.crop);
}

// (channels, kByteValues): the divisions are made once.
void find_levels(const Preprocess& p, float* levels) {
  for (std::size_t c = 0; c < p.mean.size(); ++c)
    for (int v = 0; v < kByteValues; ++v)
      *levels++ = (static_cast<float>(v) / 255.0f - p.mean[c]) / p.std[c];
}

// The bytes that the network sees, of an image of the crop's size.
void to_pixels(const Image& image, const Preprocess& p, uint8_t* out) {
  require_crop(image, p);
  const uint8_t* pixel = image.pixels.data();
  if (p.channels() == 3) {
    std::copy_n(pixel, p.values(), out);
    return;
  }
  for (int64_t i = 0; i < p.crop.count(); ++i) out[i] = static_cast<uint8_t>(luma(pixel + 3 * i));
}

}  // namespace

std::vector<float> pixel_levels(const Preprocess& p) {
  std::vector<float> levels(p.mean.size() * kByteValues);
  find_levels(p, levels.data());
  return levels;
}

void normalise(const uint8_t* pixels, const Preprocess& p, float* out) {
  float levels[3 * kByteValues];
  find_levels(p, levels);
  const float *red = levels, *green = red + kByteValues, *blue = green + kByteValues;
  const int64_t count = p.crop.count();
  if (p.channels() == 1) {
    for (int64_t i = 0; i < count; ++i) out[i] = red[pixels[i]];
    return;
  }
  for (int64_t i = 0; i < count; ++i, pixels += 3) {
    out[i] = red[pixels[0]];
    out[count + i] = green[pixels[1]];
    out[2 * count + i] = blue[pixels[2]];
  }
}

void normalise(const Image& image, const Preprocess& p, float* out) {
  if (p.channels() == 3) {
    require_crop(image, p);
    return normalise(image.pixels.data(), p, out);
  }
  std::vector<uint8_t> gray(static_cast<std::size_t>(p.values()));
  to_pixels(image, p, gray.data());
  normalise(gray.data(), p, out);
}

Image image_of(const uint8_t* pixels, const Preprocess& p) {
  const int64_t count = p.crop.count(), channels = p.channels();
  Image image{p.crop.width, p.crop.height, std::vector<uint8_t>(3 * count)};
  for (int64_t i = 0; i < count; ++i)
    for (int64_t c = 0; c < 3; ++c)
      image.pixels[3 * i + c] = pixels[i * channels + std::min(c, channels - 1)];
  return image;
}

Size resized_size(const Image& image, const Preprocess& p) {
  if (image.width < 1 || image.height < 1) throw user_error("[preprocess] the image has no pixels");
  if (p.resize <= 0) return {image.width, image.height};
  if (p.resize_mode == ResizeMode::kSquash) {
    const auto side = [&](int64_t length) {
      return static_cast<int64_t>(std::llround(static_cast<double>(p.resize * length) /
                                               static_cast<double>(p.crop.shorter())));
    };
    return {side(p.crop.width), side(p.crop.height)};
  }
  // torchvision's Resize(int): the long side is truncated.
  const auto scale = [&](int64_t longer, int64_t shorter) {
    return static_cast<int64_t>(static_cast<double>(p.resize * longer) /
                                static_cast<double>(shorter));
  };
  if (image.width <= image.height) return {p.resize, scale(image.height, image.width)};
  return {scale(image.width, image.height), p.resize};
}

Image evaluation_crop(const Image& image, const Preprocess& p) {
  const Size size = resized_size(image, p);
  return resize_window_padded(image, size.width, size.height, p.interpolation,
                              center(size.width, p.crop.width), center(size.height, p.crop.height),
                              p.crop.width, p.crop.height);
}

void crop_pixels(const Image& image, const Preprocess& p, uint8_t* out) {
  to_pixels(evaluation_crop(image, p), p, out);
}

void preprocess_image(const Image& image, const Preprocess& p, float* out) {
  normalise(evaluation_crop(image, p), p, out);
}

}  // namespace shiftadd::data
