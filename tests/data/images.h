// Random images for tests of the data room.
#pragma once

#include "core/preprocess.h"
#include "core/random.h"
#include "data/image.h"

namespace shiftadd::test {

/// Bytes from 1 to 255: never black, so that padding shows.
inline data::Image noise(int64_t width, int64_t height) {
  Random random(3, 0);
  data::Image image;
  image.width = width;
  image.height = height;
  image.pixels.resize(width * height * 3);
  for (uint8_t& v : image.pixels) v = static_cast<uint8_t>(1 + random.below(255));
  return image;
}

/// Identity normalisation times 255: outputs are the bytes.
inline Preprocess bytes_out(int64_t resize, Grid crop) {
  Preprocess p;
  p.resize = resize;
  p.crop = crop;
  p.mean = {0, 0, 0};
  p.std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  return p;
}

}  // namespace shiftadd::test
