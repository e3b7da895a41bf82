// Evaluation's road from pixels to input: resize the shorter side, centre crop, normalise.
#include "data/preprocess.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/resize.h"

namespace shiftadd::data {

namespace {

// First pixel of the centre crop along one axis, negative where padding comes first: torchvision's
// CenterCrop pads with the odd pixel behind, and crops with round half to even.
int64_t center(int64_t have, int64_t wanted) {
  if (have < wanted) return -((wanted - have) / 2);
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(have - wanted) / 2.0));
}

}  // namespace

void normalise(const Image& image, const Preprocess& p, float* out) {
  const int64_t count = image.width * image.height;
  if (image.width != p.crop || image.height != p.crop)
    throw user_error("[normalise] image is ", image.width, " x ", image.height,
                     ", expected the crop ", p.crop);
  // 256 possible inputs a channel: the divisions are made once.
  float table[3][256];
  for (int c = 0; c < 3; ++c)
    for (int v = 0; v < 256; ++v)
      table[c][v] = (static_cast<float>(v) / 255.0f - p.mean[c]) / p.std[c];
  const uint8_t* pixel = image.pixels.data();
  for (int64_t i = 0; i < count; ++i, pixel += 3) {
    out[i] = table[0][pixel[0]];
    out[count + i] = table[1][pixel[1]];
    out[2 * count + i] = table[2][pixel[2]];
  }
}

Image denormalise(const float* planes, const Preprocess& p) {
  const int64_t count = p.crop * p.crop;
  Image image{p.crop, p.crop, std::vector<uint8_t>(3 * count)};
  for (int64_t i = 0; i < count; ++i)
    for (int c = 0; c < 3; ++c) {
      const float value = planes[c * count + i] * p.std[c] + p.mean[c];
      image.pixels[3 * i + c] =
          static_cast<uint8_t>(std::lround(255 * std::clamp(value, 0.0f, 1.0f)));
    }
  return image;
}

Size resized_size(const Image& image, const Preprocess& p) {
  if (image.width < 1 || image.height < 1) throw user_error("[preprocess] the image has no pixels");
  if (p.resize <= 0) return {image.width, image.height};
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
                              center(size.width, p.crop), center(size.height, p.crop), p.crop,
                              p.crop);
}

void preprocess_image(const Image& image, const Preprocess& p, float* out) {
  normalise(evaluation_crop(image, p), p, out);
}

}  // namespace shiftadd::data
