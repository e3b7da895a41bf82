// Kernels over the last axis: column sums, layer normalisation, softmax.
#pragma once

#include "core/cpu/gemm.h"
#include "core/cpu/simd/math.h"
#include "core/parallel.h"

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
void add_partials(const float* partial, int64_t count, int64_t columns, float* out) {
  for_vectors(
      0, columns, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        Vec sum = zero();
        for (int64_t i = 0; i < count; ++i) sum = sum + load(partial + i * columns + j, lanes);
        store(out + j, load(out + j, lanes) + sum, lanes);
      });
}

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
