// Small uncompressed images for tests, written without any library of ours.
#pragma once

#include <cstdint>
#include <string>

namespace shiftadd::test {

/// The bytes of a 24-bit BMP whose pixels come from a simple formula of position and `seed`.
inline std::string bitmap(int width, int height, int seed) {
  const int stride = (3 * width + 3) / 4 * 4;
  std::string out = "BM";
  const auto put = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  };
  put(54 + stride * height, 4), put(0, 4), put(54, 4);               // file header
  put(40, 4), put(width, 4), put(height, 4), put(1, 2), put(24, 2);  // BITMAPINFOHEADER
  put(0, 4), put(stride * height, 4), put(0, 4), put(0, 4), put(0, 4), put(0, 4);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        put((x * (seed + 3) + y * (2 * c + 5) + 40 * seed + x * y) & 255, 1);
    for (int i = 3 * width; i < stride; ++i) put(0, 1);
  }
  return out;
}

}  // namespace shiftadd::test
