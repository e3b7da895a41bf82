// Sums and maps over one row, and the sum of partial results in a fixed order.
#pragma once

#include "core/cpu/simd/math.h"

namespace shiftadd {
namespace {

// Rows of a task: about 64 KiB of each operand.
SHIFTADD_INLINE int64_t row_grain(int64_t columns) { return columns < 16384 ? 16384 / columns : 1; }

// Sum over i < n of term(i, lanes); term is 0 in the lanes beyond the tail. Four chains hide the
// latency.
template <class Term>
SHIFTADD_INLINE float sum_terms(int64_t n, Term term) {
  Vec sum[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    sum[0] = sum[0] + term(i, Full{});
    sum[1] = sum[1] + term(i + kWidth, Full{});
    sum[2] = sum[2] + term(i + 2 * kWidth, Full{});
    sum[3] = sum[3] + term(i + 3 * kWidth, Full{});
  }
  for (; i + kWidth <= n; i += kWidth) sum[0] = sum[0] + term(i, Full{});
  if (i < n) sum[1] = sum[1] + term(i, static_cast<int>(n - i));
  return sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

// out[j] += partial[0][j] + partial[1][j] + ..., in that order.
inline void add_partials(const float* partial, int64_t count, int64_t columns, float* out) {
  for_vectors(
      0, columns, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        Vec sum = zero();
        for (int64_t i = 0; i < count; ++i) sum = sum + load(partial + i * columns + j, lanes);
        store(out + j, load(out + j, lanes) + sum, lanes);
      });
}

// y = exp(scale (x - max x)); y may equal x. Returns the sum of y and writes max x.
SHIFTADD_INLINE float exp_row(const float* x, int64_t n, float scale, float* y, float* largest) {
  Vec top = set1(-__builtin_inff());
  for_vectors(
      0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        top = max(top, keep_first(load(x + j, lanes), lanes, top));
      });
  *largest = max_lanes(top);
  return sum_terms(
      n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        const Vec e = exp((load(x + j, lanes) - set1(*largest)) * set1(scale));
        store(y + j, e, lanes);
        return keep_first(e, lanes, zero());
      });
}

SHIFTADD_INLINE void scale_row(float* y, int64_t n, float factor) {
  for_vectors(
      0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        store(y + j, load(y + j, lanes) * set1(factor), lanes);
      });
}

}  // namespace
}  // namespace shiftadd
