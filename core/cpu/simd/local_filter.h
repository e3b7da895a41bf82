// The depthwise filter beside linear-angular attention, a row of channels at a time.
#pragma once

#include "core/cpu/simd/row_ops.h"
#include "core/kernels/attention.h"

namespace shiftadd {
namespace {

// The taps that lie on the grid, seen from one row: runs of `taps` consecutive taps on as many
// consecutive rows, the first at tap `tap` on row `row`; the next run is a filter row and a grid
// row on.
struct Reach {
  int64_t runs = 0, taps = 0, tap = 0, row = 0;
};

SHIFTADD_INLINE Reach reach_of(const LocalShape& s, int64_t n) {
  const int64_t pixel = n - s.first;
  if (pixel < 0) return {};
  const int64_t y = s.grid_h == 1 ? 0 : pixel / s.grid_w, x = pixel - y * s.grid_w;
  const int64_t top = y - s.kernel_h / 2, left = x - s.kernel_w / 2;
  const int64_t i0 = top < 0 ? -top : 0, j0 = left < 0 ? -left : 0;
  const int64_t down = s.grid_h - top, right = s.grid_w - left;
  const int64_t i1 = down < s.kernel_h ? down : s.kernel_h;
  const int64_t j1 = right < s.kernel_w ? right : s.kernel_w;
  return {i1 - i0, j1 - j0, i0 * s.kernel_w + j0, s.first + (top + i0) * s.grid_w + left + j0};
}

// Sum over the taps of weight[kStep * tap] * x[row][j ..] on rows below `end`. With kStep -1 and
// weight at the last tap the filter is turned round: what reads a row instead of what it reads.
template <int kStep, class Lanes>
SHIFTADD_INLINE Vec filter_sum(const LocalShape& s, const Reach& reach, const float* weight,
                               const float* x, int64_t ldx, int64_t end, int64_t j, Lanes lanes) {
  Vec even = zero(), odd = zero();  // two chains
  for (int64_t run = 0; run < reach.runs; ++run) {
    const float* w = weight + kStep * (reach.tap + run * s.kernel_w);
    const int64_t row = reach.row + run * s.grid_w;
    const int64_t taps = end - row < reach.taps ? end - row : reach.taps;
    const float* in = x + row * ldx + j;
    int64_t t = 0;
    for (; t + 2 <= taps; t += 2, in += 2 * ldx) {
      even = fma(set1(w[kStep * t]), load(in, lanes), even);
      odd = fma(set1(w[kStep * (t + 1)]), load(in + ldx, lanes), odd);
    }
    if (t < taps) even = fma(set1(w[kStep * t]), load(in, lanes), even);
  }
  return even + odd;
}

// dweight[tap] = sum over rows n < rows of g_n . x_(row that the tap reads).
inline void filter_weight_backward(const LocalShape& s, int64_t rows, int64_t d, const float* g,
                                   int64_t ldg, const float* x, int64_t ldx, float* dweight) {
  const int64_t taps = s.kernel_h * s.kernel_w;
  Vec sum[kMaxLocalKernel * kMaxLocalKernel * kChainVectors];  // kChains of each tap
  for (int64_t i = 0; i < taps * kChainVectors; ++i) sum[i] = zero();
  for (int64_t n = 0; n < rows; ++n) {
    const Reach reach = reach_of(s, n);
    for_vectors(
        0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          const Vec gradient = load(g + n * ldg + j, lanes);
          for (int64_t run = 0; run < reach.runs; ++run) {
            Vec* at =
                sum + (reach.tap + run * s.kernel_w) * kChainVectors + j / kWidth % kChainVectors;
            const float* in = x + (reach.row + run * s.grid_w) * ldx + j;
            for (int64_t t = 0; t < reach.taps; ++t, in += ldx)
              at[t * kChainVectors] = fma(gradient, load(in, lanes), at[t * kChainVectors]);
          }
        });
  }
  for (int64_t tap = 0; tap < taps; ++tap) dweight[tap] = sum_chains(sum + tap * kChainVectors);
}

}  // namespace
}  // namespace shiftadd
