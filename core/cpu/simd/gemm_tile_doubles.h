// A tile of the matrix product on a CPU without FMA: the sums are doubles, rounded to float's
// mantissa after each step. What fma() does for one sum, without its way there and back.
#pragma once

#include "core/cpu/simd/vec.h"

namespace shiftadd {
namespace {

// tile() of gemm_tile.h, element (r, p) of a at a[r * a_row + p * a_step]. False, and out not
// written, when a double was half-way between two floats, as one in 2^29 is: how that one rounds
// depends on what the double had lost.
template <int kRows, int kVectors>
bool tile_in_doubles(int64_t k, const float* a, int64_t a_row, int64_t a_step, const float* b,
                     float* out) {
  using Words = uint64_t __attribute__((vector_size(16)));
  constexpr int kPairs = 2 * kVectors, kColumns = 2 * kWidth;
  Words sum[kRows][kPairs] = {};
  VecI halfway = {};
  for (int64_t p = 0; p < k; ++p, b += kColumns) {
    Doubles column[kPairs];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      column[2 * v] = low_doubles(load(b + v * kWidth));
      column[2 * v + 1] = high_doubles(load(b + v * kWidth));
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const double one = a[r * a_row + p * a_step];
      const Doubles x = {one, one};
#pragma GCC unroll 4
      for (int i = 0; i < kPairs; ++i) {
        const Words up = (Words)((Doubles)sum[r][i] + x * column[i]) + 0x10000000;
        const Words dropped = up & 0x1fffffff;
        halfway |= (VecI)((VecI)dropped == 0u);  // words 0 and 2 tell
        sum[r][i] = up ^ dropped;
      }
    }
  }
  if (halfway[0] | halfway[2]) return false;
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      store(out + r * kColumns + v * kWidth,
            floats_of((Doubles)sum[r][2 * v], (Doubles)sum[r][2 * v + 1]));
  return true;
}

}  // namespace
}  // namespace shiftadd
