// Sums columns over all rows, in a fixed order.
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/row_ops.h"
#include "core/kernels/elementwise.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

void column_sum_kernel(const ColumnSumArgs<float>& args) {
  const int64_t n = args.columns, grain = row_grain(n), chunks = (args.rows + grain - 1) / grain;
  float* partial = scratch(Scratch::kRows, chunks * n);
  parallel_chunks(args.rows, grain, [&](int64_t begin, int64_t end) {
    float* out = partial + begin / grain * n;
    for_vectors(
        0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          Vec sum = zero();
          for (int64_t row = begin; row < end; ++row) sum = sum + load(args.x + row * n + j, lanes);
          store(out + j, sum, lanes);
        });
  });
  add_partials(partial, chunks, n, args.out);
}

}  // namespace
}  // namespace shiftadd
