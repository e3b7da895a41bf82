// The plain inner loops of resize: the oracle of the fast ones.
#include "data/resize_kernels.h"

#include <algorithm>

namespace shiftadd::data {

namespace {

uint8_t clamp_sum(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

}  // namespace

void resize_row_plain(const uint8_t* in, const ResizeTaps& taps, uint8_t* out, int64_t width) {
  for (int64_t x = 0; x < width; ++x, out += 3) {
    const uint8_t* pixel = in + int64_t{3} * taps.first[x];
    const int32_t* weights = &taps.weights[x * taps.stride];
    int32_t red = kWeightHalf, green = kWeightHalf, blue = kWeightHalf;
    for (int32_t k = 0; k < taps.count[x]; ++k, pixel += 3) {
      red += pixel[0] * weights[k];
      green += pixel[1] * weights[k];
      blue += pixel[2] * weights[k];
    }
    out[0] = clamp_sum(red);
    out[1] = clamp_sum(green);
    out[2] = clamp_sum(blue);
  }
}

void resize_column_plain(const uint8_t* in, int64_t stride, const int32_t* weights, int64_t count,
                         uint8_t* out, int64_t bytes) {
  for (int64_t i = 0; i < bytes; ++i) {
    int32_t sum = kWeightHalf;
    for (int64_t k = 0; k < count; ++k) sum += in[k * stride + i] * weights[k];
    out[i] = clamp_sum(sum);
  }
}

}  // namespace shiftadd::data
