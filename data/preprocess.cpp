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

}  // namespace

void normalise(const Image& image, const Preprocess& p, float* out) {
  if (image.width != p.crop.width || image.height != p.crop.height)
    throw user_error("[normalise] image is ", Grid{image.height, image.width},
                     " (height x width), expected the crop ", p.crop);
  // 256 possible inputs a channel: the divisions are made once.
  float table[3][256];
  for (std::size_t c = 0; c < p.mean.size(); ++c)
    for (int v = 0; v < 256; ++v)
      table[c][v] = (static_cast<float>(v) / 255.0f - p.mean[c]) / p.std[c];
  const uint8_t* pixel = image.pixels.data();
  const int64_t count = p.crop.count();
  if (p.channels() == 1) {
    for (int64_t i = 0; i < count; ++i, pixel += 3) out[i] = table[0][luma(pixel)];
    return;
  }
  for (int64_t i = 0; i < count; ++i, pixel += 3) {
    out[i] = table[0][pixel[0]];
    out[count + i] = table[1][pixel[1]];
    out[2 * count + i] = table[2][pixel[2]];
  }
}

Image denormalise(const float* planes, const Preprocess& p) {
  const int64_t count = p.crop.count();
  Image image{p.crop.width, p.crop.height, std::vector<uint8_t>(3 * count)};
  for (int64_t i = 0; i < count; ++i)
    for (int64_t c = 0; c < 3; ++c) {
      const int64_t plane = std::min(c, p.channels() - 1);  // gray stands for all three
      const float value = planes[plane * count + i] * p.std[plane] + p.mean[plane];
      image.pixels[3 * i + c] =
          static_cast<uint8_t>(std::lround(255 * std::clamp(value, 0.0f, 1.0f)));
    }
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

void preprocess_image(const Image& image, const Preprocess& p, float* out) {
  normalise(evaluation_crop(image, p), p, out);
}

}  // namespace shiftadd::data
