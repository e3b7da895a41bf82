// Sums, products and scales of elements, and the loop over elements that other kernels use, too.
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/math.h"
#include "core/kernels/elementwise.h"
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

}  // namespace
}  // namespace shiftadd
