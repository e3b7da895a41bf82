// Linear-angular attention, forward: one (image, head) at a time on one thread, two small products
// by tiles. Codes and values are made as they are read and live in that thread's scratch.
#pragma once

#include "core/cpu/simd/attention.h"
#include "core/cpu/simd/attention_codes.h"
#include "core/cpu/simd/local_filter.h"

namespace shiftadd {
namespace {

// Leading dimension of d channels: whole cache lines.
constexpr int64_t line_padded(int64_t d) { return (d + 15) / 16 * 16; }

// What multiplies q (k^T v) for unscaled codes.
SHIFTADD_INLINE float product_factor(Codes codes, int64_t code_dim) {
  constexpr double pi = 3.14159265358979323846;
  return static_cast<float>(codes == Codes::kSign ? 1 / (pi * static_cast<double>(code_dim))
                                                  : 1 / pi);
}

// Where one (image, head) lies.
struct HeadAt {
  HeadAt(const AttentionShape& s, int64_t task)
      : image(task / s.heads),
        head(task % s.heads),
        q(image * s.q_batch + head * s.q_head),
        k(image * s.k_batch + head * s.k_head),
        v(image * s.v_batch + head * s.v_head),
        o(image * s.o_batch + head * s.o_head) {}
  int64_t image, head, q, k, v, o;
};

// b (k, n), row-major with leading dimension ldb, in panels: b itself where it is one, else in
// `buffer` (panels_of(n) * kTileColumns * k floats).
SHIFTADD_INLINE const float* as_panels(const float* b, int64_t ldb, int64_t k, int64_t n,
                                       float* buffer) {
  if (n == kTileColumns && ldb == kTileColumns) return b;
  pack_all(b, ldb, false, k, n, buffer);
  return buffer;
}

// a = v / 2 + factor m of one row, written over m. Returns sum a^2.
SHIFTADD_INLINE float angular_row(const float* v, int64_t d, float factor, float* m) {
  return sum_terms(
      d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        const Vec a = fma(set1(factor), load(m + j, lanes), set1(0.5f) * load(v + j, lanes));
        store(m + j, a, lanes);
        return a * a;
      });
}

// Row n of the output from m = q (k^T v), which is overwritten. v (N, d) in units of `scale`. One
// copy for training and evaluation.
__attribute__((noinline)) void finish_row(const LinearAngularArgs<float>& args, int64_t head,
                                          int64_t n, const float* v, int64_t ldv, float scale,
                                          float factor, float* m, float* out) {
  const int64_t d = args.shape.head_dim;
  const float squares = angular_row(v + n * ldv, d, factor, m);
  const Vec length = set1(scale / __builtin_sqrtf(scale * scale * squares + kUnitEps));
  if (!args.local_weight) {
    for_vectors(
        0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          store(out + j, load(m + j, lanes) * length, lanes);
        });
    return;
  }
  const LocalShape& s = args.local;
  const Reach reach = reach_of(s, n);
  const float* weight = args.local_weight + head * s.kernel_h * s.kernel_w;
  for_vectors(
      0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        const Vec local = filter_sum<1>(s, reach, weight, v, ldv, args.shape.keys, j, lanes);
        store(out + j, fma(load(m + j, lanes), length, local * set1(scale)), lanes);
      });
}

void find_thresholds(const LinearAngularArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t heads = s.batch * s.heads;
  parallel_for(heads, [&](int64_t task) {
    const HeadAt at(s, task);
    args.thresholds[task] = unit_mean(args.q + at.q, s.q_row, s.keys, s.code_dim);
    args.thresholds[heads + task] = unit_mean(args.k + at.k, s.k_row, s.keys, s.code_dim);
  });
  if (args.codes != Codes::kUnitBatch) return;
  share_threshold(heads, args.thresholds);
  share_threshold(heads, args.thresholds + heads);
}

inline void linear_angular_kernel(const LinearAngularArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, n = s.keys;
  const int64_t ldc = line_padded(c), ld = line_padded(d);
  const int64_t packed_columns = panels_of(d) * kTileColumns;
  const int64_t heads = s.batch * s.heads;
  const bool unit = is_unit(args.codes);
  if (unit) find_thresholds(args);
  const float factor = product_factor(args.codes, c);
  parallel_for(heads, [&](int64_t task) {
    const HeadAt at(s, task);
    float* codes = scratch(Scratch::kAttention, n * (ldc + ld) + (n + c) * packed_columns + c * ld +
                                                    n * kTileRows + kTileRows * (ldc + ld));
    float* values = codes + n * ldc;
    float* packed = values + n * ld;
    float* sums = packed + n * packed_columns;  // k^T v
    float* packed_sums = sums + c * ld;
    float* panel = packed_sums + c * packed_columns;
    float* q = panel + n * kTileRows;
    float* m = q + kTileRows * ldc;
    const float scale = take_values(args.value, args.v + at.v, s.v_row, n, d, values, ld);
    encode_rows(args.codes, args.k + at.k, s.k_row, n, c, unit ? args.thresholds[heads + task] : 0,
                codes, ldc);
    multiply_transposed(codes, ldc, n, c, as_panels(values, ld, n, d, packed), d, panel, sums, ld);
    const float* kv = as_panels(sums, ld, c, d, packed_sums);
    for_row_tiles(0, s.queries, [&](int64_t i, int rows) {
      encode_rows(args.codes, args.q + at.q + i * s.q_row, s.q_row, rows, c,
                  unit ? args.thresholds[task] : 0, q, ldc);
      multiply_rows(q, ldc, rows, c, kv, d, m, ld);
      for (int64_t r = 0; r < rows; ++r)
        finish_row(args, at.head, i + r, values, ld, scale, factor, m + r * ld,
                   args.out + at.o + (i + r) * s.o_row);
    });
  });
}

}  // namespace
}  // namespace shiftadd
