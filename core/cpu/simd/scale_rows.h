// Factors of rows, and the sums over each row that are their gradient.
#pragma once

#include "core/cpu/simd/row_ops.h"
#include "core/kernels/elementwise.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

void scale_rows_kernel(const ScaleRowsArgs<float>& args) {
  const int64_t n = args.columns;
  parallel_chunks(args.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const Vec factor = set1(args.factors[row]);
      for_vectors(
          row * n, (row + 1) * n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
            store(args.y + i, factor * load(args.x + i, lanes), lanes);
          });
    }
  });
}

void row_dot_kernel(const DotsArgs<float>& args) {
  const int64_t n = args.columns;
  parallel_chunks(args.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      args.out[row] += sum_terms(
          n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            return load(args.a + row * n + j, lanes) * load(args.b + row * n + j, lanes);
          });
  });
}

}  // namespace
}  // namespace shiftadd
