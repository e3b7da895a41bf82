// Layer normalisation over the last axis, forward and backward.
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/row_ops.h"
#include "core/kernels/norm.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

void layer_norm_kernel(const LayerNormArgs<float>& args) {
  const int64_t n = args.columns;
  parallel_chunks(args.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = args.x + row * n;
      float* y = args.y + row * n;
      const float mean = sum_terms(
                             n, [&](int64_t j, auto lanes)
                                    __attribute__((always_inline)) { return load(x + j, lanes); }) /
                         static_cast<float>(n);
      const float squares = sum_terms(
          n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            const Vec d = keep_first(load(x + j, lanes) - set1(mean), lanes, zero());
            return d * d;
          });
      const float rstd =
          static_cast<float>(1 / __builtin_sqrt(squares / static_cast<double>(n) + args.eps));
      for_vectors(
          0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            const Vec normal = (load(x + j, lanes) - set1(mean)) * set1(rstd);
            store(y + j, fma(normal, load(args.gamma + j, lanes), load(args.beta + j, lanes)),
                  lanes);
          });
      if (args.mean) args.mean[row] = mean;
      if (args.rstd) args.rstd[row] = rstd;
    }
  });
}

void layer_norm_backward_kernel(const LayerNormBackwardArgs<float>& args) {
  const int64_t n = args.columns, grain = row_grain(n), chunks = (args.rows + grain - 1) / grain;
  float* partial = scratch(Scratch::kRows, 2 * chunks * n);  // dgamma of each chunk, then dbeta
  parallel_chunks(args.rows, grain, [&](int64_t begin, int64_t end) {
    float* dgamma = partial + begin / grain * n;
    float* dbeta = dgamma + chunks * n;
    for_vectors(
        0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          store(dgamma + j, zero(), lanes);
          store(dbeta + j, zero(), lanes);
        });
    for (int64_t row = begin; row < end; ++row) {
      const float *x = args.x + row * n, *dy = args.dy + row * n;
      const float* dresidual = args.dresidual ? args.dresidual + row * n : nullptr;
      float* dx = args.dx + row * n;
      const Vec mean = set1(args.mean[row]), rstd = set1(args.rstd[row]);
      const float sum = sum_terms(
          n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            return load(dy + j, lanes) * load(args.gamma + j, lanes);
          });
      const float product = sum_terms(
          n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            return load(dy + j, lanes) * load(args.gamma + j, lanes) *
                   ((load(x + j, lanes) - mean) * rstd);
          });
      const Vec a = set1(sum / static_cast<float>(n)), b = set1(product / static_cast<float>(n));
      for_vectors(
          0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            const Vec d = load(dy + j, lanes), normal = (load(x + j, lanes) - mean) * rstd;
            Vec out = rstd * (fnma(normal, b, d * load(args.gamma + j, lanes)) - a);
            if (dresidual) out = out + load(dresidual + j, lanes);
            store(dgamma + j, fma(d, normal, load(dgamma + j, lanes)), lanes);
            store(dbeta + j, load(dbeta + j, lanes) + d, lanes);
            store(dx + j, out, lanes);
          });
    }
  });
  if (!args.dgamma) return;
  add_partials(partial, chunks, n, args.dgamma);
  add_partials(partial + chunks * n, chunks, n, args.dbeta);
}

}  // namespace
}  // namespace shiftadd
