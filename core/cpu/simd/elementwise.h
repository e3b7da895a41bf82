// Element-wise kernels, the sum, and the optimizers' steps.
#pragma once

#include "core/cpu/gemm.h"
#include "core/cpu/simd/math.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

// Elements of a task: 64 KiB an operand, some microseconds.
constexpr int64_t kGrain = 16384;

// body(i, lanes) over all of [0, n), in tasks; see for_vectors.
template <class Body>
SHIFTADD_INLINE void map(int64_t n, Body body) {
  parallel_chunks(n, kGrain, [&](int64_t begin, int64_t end) { for_vectors(begin, end, body); });
}

void gelu_kernel(const UnaryArgs<float>& args) {
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        store(args.y + i, gelu(load(args.x + i, lanes)), lanes);
      });
}

void gelu_backward_kernel(const UnaryBackwardArgs<float>& args) {
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        store(args.dx + i, load(args.dy + i, lanes) * gelu_derivative(load(args.x + i, lanes)),
              lanes);
      });
}

void add_kernel(const BinaryArgs<float>& args) {
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        store(args.out + i, load(args.a + i, lanes) + load(args.b + i, lanes), lanes);
      });
}

void multiply_kernel(const BinaryArgs<float>& args) {
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        store(args.out + i, load(args.a + i, lanes) * load(args.b + i, lanes), lanes);
      });
}

void add_broadcast_kernel(const AddBroadcastArgs<float>& args) {
  parallel_chunks(args.n, kGrain, [&](int64_t begin, int64_t end) {
    while (begin < end) {  // up to the next wrap of b
      const int64_t at = begin % args.period, run = args.period - at;
      const int64_t stop = end - begin < run ? end : begin + run;
      const float* b = args.b + at - begin;
      for_vectors(
          begin, stop, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
            store(args.out + i, load(args.a + i, lanes) + load(b + i, lanes), lanes);
          });
      begin = stop;
    }
  });
}

void scale_kernel(const ScaleArgs<float>& args) {
  const Vec alpha = set1(static_cast<float>(args.alpha));
  if (args.accumulate)
    map(
        args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
          store(args.y + i, fma(alpha, load(args.x + i, lanes), load(args.y + i, lanes)), lanes);
        });
  else
    map(
        args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
          store(args.y + i, alpha * load(args.x + i, lanes), lanes);
        });
}

// Four chains of four doubles, whatever the vector width.
double sum_range(const float* x, int64_t n) {
  using Floats = float __attribute__((vector_size(16)));
  using Doubles = double __attribute__((vector_size(32)));
  Doubles sum[4] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 4; ++j) {
      Floats four;
      __builtin_memcpy(&four, x + i + 4 * j, sizeof four);
      sum[j] += __builtin_convertvector(four, Doubles);
    }
  const Doubles all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  double total = (all[0] + all[1]) + (all[2] + all[3]);
  for (; i < n; ++i) total += x[i];
  return total;
}

void sum_kernel(const SumArgs<float>& args) {
  const int64_t chunks = (args.n + kGrain - 1) / kGrain;
  double* partial = reinterpret_cast<double*>(scratch(Scratch::kRows, 2 * chunks));
  parallel_chunks(args.n, kGrain, [&](int64_t begin, int64_t end) {
    partial[begin / kGrain] = sum_range(args.x + begin, end - begin);
  });
  double total = 0;
  for (int64_t i = 0; i < chunks; ++i) total += partial[i];
  *args.out = total;
}

void adamw_kernel(const AdamWArgs<float>& args) {
  const Vec beta1 = set1(static_cast<float>(args.beta1)),
            beta2 = set1(static_cast<float>(args.beta2));
  const Vec rest1 = set1(static_cast<float>(1 - args.beta1));
  const Vec rest2 = set1(static_cast<float>(1 - args.beta2));
  const Vec gradient_scale = set1(static_cast<float>(args.gradient_scale));
  const Vec decay = set1(static_cast<float>(1 - args.lr * args.weight_decay));
  const double step = static_cast<double>(args.step);
  const Vec rate = set1(static_cast<float>(args.lr / (1 - __builtin_pow(args.beta1, step))));
  const Vec unbias =
      set1(static_cast<float>(1 / __builtin_sqrt(1 - __builtin_pow(args.beta2, step))));
  const Vec eps = set1(static_cast<float>(args.eps));
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const Vec g = load(args.gradient + i, lanes) * gradient_scale;
        const Vec m = fma(beta1, load(args.m + i, lanes), rest1 * g);
        const Vec v = fma(beta2, load(args.v + i, lanes), rest2 * g * g);
        const Vec update = m / fma(sqrt(v), unbias, eps);
        store(args.m + i, m, lanes);
        store(args.v + i, v, lanes);
        store(args.parameter + i, fnma(rate, update, load(args.parameter + i, lanes) * decay),
              lanes);
      });
}

void sgd_kernel(const SgdArgs<float>& args) {
  const Vec lr = set1(static_cast<float>(args.lr)),
            momentum = set1(static_cast<float>(args.momentum));
  const Vec decay = set1(static_cast<float>(args.weight_decay));
  const Vec gradient_scale = set1(static_cast<float>(args.gradient_scale));
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const Vec p = load(args.parameter + i, lanes);
        const Vec g = fma(decay, p, load(args.gradient + i, lanes) * gradient_scale);
        const Vec buffer = fma(momentum, load(args.buffer + i, lanes), g);
        store(args.buffer + i, buffer, lanes);
        store(args.parameter + i, fnma(lr, args.nesterov ? fma(momentum, buffer, g) : buffer, p),
              lanes);
      });
}

}  // namespace
}  // namespace shiftadd
