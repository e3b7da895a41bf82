// Evaluation's road from pixels to input: resize the shorter side, centre crop, normalise.
#include "data/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "data/resize.h"

namespace shiftadd::data {

namespace {

// Where `wanted` lies within `have` along one axis after torchvision's CenterCrop: padding first (the odd pixel
// behind), then round half to even.
struct Span1d {
  int64_t source = 0, target = 0, length = 0;
};

Span1d center(int64_t have, int64_t wanted) {
  if (have < wanted) return {0, (wanted - have) / 2, have};
  return {static_cast<int64_t>(std::nearbyint(static_cast<double>(have - wanted) / 2.0)), 0, wanted};
}

}  // namespace

void normalise(const Image& image, const Preprocess& p, float* out) {
  const int64_t count = image.width * image.height;
  if (image.width != p.crop || image.height != p.crop)
    throw user_error("[normalise] image is ", image.width, " x ", image.height, ", expected the crop ", p.crop);
  // 256 possible inputs a channel: the divisions are made once.
  float table[3][256];
  for (int c = 0; c < 3; ++c)
    for (int v = 0; v < 256; ++v) table[c][v] = (static_cast<float>(v) / 255.0f - p.mean[c]) / p.std[c];
  const uint8_t* pixel = image.pixels.data();
  for (int64_t i = 0; i < count; ++i, pixel += 3) {
    out[i] = table[0][pixel[0]];
    out[count + i] = table[1][pixel[1]];
    out[2 * count + i] = table[2][pixel[2]];
  }
}

void preprocess_image(const Image& image, const Preprocess& p, float* out) {
  if (image.width < 1 || image.height < 1) throw user_error("[preprocess] the image has no pixels");
  int64_t width = image.width, height = image.height;
  if (p.resize > 0) {
    // torchvision's Resize(int): the long side is truncated.
    const auto scale = [&](int64_t longer, int64_t shorter) {
      return static_cast<int64_t>(static_cast<double>(p.resize * longer) / static_cast<double>(shorter));
    };
    width = image.width <= image.height ? p.resize : scale(image.width, image.height);
    height = image.width <= image.height ? scale(image.height, image.width) : p.resize;
  }
  const Span1d x = center(width, p.crop), y = center(height, p.crop);
  Image window = resize_window(image, width, height, p.interpolation, x.source, y.source, x.length, y.length);
  if (window.width != p.crop || window.height != p.crop) {
    Image padded;
    padded.width = padded.height = p.crop;
    padded.pixels.assign(p.crop * p.crop * 3, 0);
    for (int64_t row = 0; row < window.height; ++row)
      std::memcpy(padded.row(y.target + row) + 3 * x.target, window.row(row), window.width * 3);
    window = std::move(padded);
  }
  normalise(window, p, out);
}

}  // namespace shiftadd::data
