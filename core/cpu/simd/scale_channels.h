// Factors of channels, with a residual, and the sums over rows that are their gradient.
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/row_ops.h"
#include "core/kernels/elementwise.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

void scale_channels_kernel(const ScaleChannelsArgs<float>& args) {
  const int64_t n = args.columns;
  parallel_chunks(args.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = args.x + row * n;
      const float* residual = args.residual ? args.residual + row * n : nullptr;
      float* y = args.y + row * n;
      for_vectors(
          0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            const Vec factors = load(args.factors + j, lanes), numbers = load(x + j, lanes);
            store(y + j,
                  residual ? fma(factors, numbers, load(residual + j, lanes)) : factors * numbers,
                  lanes);
          });
    }
  });
}

void column_dot_kernel(const DotsArgs<float>& args) {
  const int64_t n = args.columns, grain = row_grain(n), chunks = (args.rows + grain - 1) / grain;
  float* partial = scratch(Scratch::kRows, chunks * n);
  parallel_chunks(args.rows, grain, [&](int64_t begin, int64_t end) {
    float* out = partial + begin / grain * n;
    for_vectors(
        0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          Vec sum = zero();
          for (int64_t row = begin; row < end; ++row)
            sum = fma(load(args.a + row * n + j, lanes), load(args.b + row * n + j, lanes), sum);
          store(out + j, sum, lanes);
        });
  });
  add_partials(partial, chunks, n, args.out);
}

}  // namespace
}  // namespace shiftadd
