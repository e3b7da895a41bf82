// Softmax over the last axis, forward and backward.
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/row_ops.h"
#include "core/kernels/norm.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

void softmax_kernel(const SoftmaxArgs<float>& args) {
  const int64_t n = args.columns;
  parallel_chunks(args.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float largest;
      const float sum = exp_row(args.x + row * n, n, 1, args.y + row * n, &largest);
      scale_row(args.y + row * n, n, 1 / sum);
    }
  });
}

void softmax_backward_kernel(const SoftmaxBackwardArgs<float>& args) {
  const int64_t n = args.columns;
  parallel_chunks(args.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *y = args.y + row * n, *dy = args.dy + row * n;
      float* dx = args.dx + row * n;
      const float dot = sum_terms(
          n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            return load(y + j, lanes) * load(dy + j, lanes);
          });
      for_vectors(
          0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            store(dx + j, load(y + j, lanes) * (load(dy + j, lanes) - set1(dot)), lanes);
          });
    }
  });
}

}  // namespace
}  // namespace shiftadd
