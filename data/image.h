// Decoded images: 8-bit RGB, rows top to bottom.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace shiftadd::data {

struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;  // height * width * 3, RGB
  uint8_t* row(int64_t y) { return pixels.data() + y * width * 3; }
  const uint8_t* row(int64_t y) const { return pixels.data() + y * width * 3; }
};

}  // namespace shiftadd::data
