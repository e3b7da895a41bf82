// Sums and maps over one row, and the sum of partial results in a fixed order.
#pragma once

#include "core/cpu/simd/math.h"

namespace shiftadd {
namespace {

// Rows of a task: about 64 KiB of each operand.
SHIFTADD_INLINE int64_t row_grain(int64_t columns) { return columns < 16384 ? 16384 / columns : 1; }

// Sums over a row are cut into so many whatever the vector width, number i in sum i % kChains, and
// folded by halves: each instruction set gives the same bits. They hide the latency, too.
constexpr int kChains = 32, kChainVectors = kChains / kWidth;
SHIFTADD_INLINE float sum_chains(Vec* sum) {
#pragma GCC unroll 4
  for (int half = kChainVectors / 2; half; half /= 2)
#pragma GCC unroll 4
    for (int v = 0; v < half; ++v) sum[v] = sum[v] + sum[v + half];
  return sum_lanes(sum[0]);
}

// Sum over i < n of term(i, lanes); term is 0 in the lanes beyond the tail.
template <class Term>
SHIFTADD_INLINE float sum_terms(int64_t n, Term term) {
  Vec sum[kChainVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kChainVectors; ++v) sum[v] = zero();
  int64_t i = 0;
  for (; i + kChains <= n; i += kChains)
#pragma GCC unroll 8
    for (int v = 0; v < kChainVectors; ++v) sum[v] = sum[v] + term(i + v * kWidth, Full{});
#pragma GCC unroll 8
  for (int v = 0; v < kChainVectors; ++v, i += kWidth) {
    if (i + kWidth <= n)
      sum[v] = sum[v] + term(i, Full{});
    else if (i < n)
      sum[v] = sum[v] + term(i, static_cast<int>(n - i));
  }
  return sum_chains(sum);
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
