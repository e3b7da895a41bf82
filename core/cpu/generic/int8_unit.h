// int8 products in plain C++: operands widened to 16 bits, each row and each output's weights
// beside one another, so that the compiler sees dot products (pmaddwd of SSE2, smlal of NEON).
#pragma once

#include "core/cpu/simd/int8_gemm.h"

namespace shiftadd {
namespace {

// Sums of two rows and four outputs, n inputs each: as many as SSE2 has registers for.
void tile(int64_t n, const int16_t* x, const int16_t* w, int32_t* sum) {
  const int16_t *x1 = x + n, *w1 = w + n, *w2 = w1 + n, *w3 = w2 + n;
  int32_t s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
  for (int64_t j = 0; j < n; ++j) {
    s00 += x[j] * w[j], s01 += x[j] * w1[j], s02 += x[j] * w2[j], s03 += x[j] * w3[j];
    s10 += x1[j] * w[j], s11 += x1[j] * w1[j], s12 += x1[j] * w2[j], s13 += x1[j] * w3[j];
  }
  store(sum, Ints{s00, s01, s02, s03});
  store(sum + kDotBlock, Ints{s10, s11, s12, s13});
}

struct Int8Dots {
  // Weights are signed again: nothing to take off.
  static constexpr bool kOffset = false;
  static constexpr bool kAddsByDots = false;  // tables are faster

  static void multiply(int64_t groups, int rows, DotRows a, const uint8_t* b, int32_t* sum) {
    const int64_t n = groups * kDotGroup, even = (rows + 1) / 2 * 2;
    int16_t* const x = reinterpret_cast<int16_t*>(scratch(Scratch::kPackA, even * n / 2));
    int16_t* const w = reinterpret_cast<int16_t*>(scratch(Scratch::kPackB, kDotBlock * n / 2));
    for (int64_t r = 0; r < even; ++r)
      for (int64_t g = 0; g < groups; ++g)
        for (int64_t j = 0; j < kDotGroup; ++j)
          x[r * n + g * kDotGroup + j] = a.at[r * a.row + g * a.group + j];
    for (int64_t panel = 0; panel < 2; ++panel)
      for (int64_t q = 0; q < n / 4; ++q, b += 4 * kDotPanel)
        for (int64_t r = 0; r < kDotPanel; ++r)
          for (int64_t i = 0; i < 4; ++i)
            w[(panel * kDotPanel + r) * n + 4 * q + i] =
                static_cast<int16_t>(b[4 * r + i] - kDotOffset);
    for (int64_t c = 0; c < kDotBlock; c += 4)
      for (int64_t r = 0; r < even; r += 2) tile(n, x + r * n, w + c * n, sum + r * kDotBlock + c);
  }
};

}  // namespace
}  // namespace shiftadd
