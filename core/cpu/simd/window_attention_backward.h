// Linear attention on codes with a window, backward: through every weight of every key, as softmax
// attention's, so by as many steps as tokens times tokens.
#pragma once

#include "core/cpu/simd/window_attention.h"

namespace shiftadd {
namespace {

// A row of p: products of codes become weights that sum to 1; and of ds: the gradients of the
// weights become those of the products. along: sum over the output's channels of out dout.
struct WindowRows {
  const PatchGrid& grid;
  float factor;
  int64_t keys;

  void prefix(float along, float* p, float* ds) const {
    float largest;
    const float sum = exp_row(p, keys, factor, p, &largest);
    const Vec length = set1(1 / sum), back = set1(along), f = set1(factor);
    for_vectors(
        0, keys, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          const Vec weight = load(p + j, lanes) * length;
          store(p + j, weight, lanes);
          store(ds + j, weight * (load(ds + j, lanes) - back) * f, lanes);
        });
  }

  // near, near_ds: room for a window.
  void patch(int64_t n, float along, float* near, float* near_ds, float* p, float* ds) const {
    int64_t count = 0;
    float inside = 0, largest = 0;
    grid.for_window(n, [&](int64_t key) {
      inside += p[key];
      near[count] = p[key] * factor;
      largest = near[count] > largest ? near[count] : largest;
      near_ds[count++] = ds[key];
    });
    const float total = sum_terms(
        keys, [&](int64_t j, auto lanes)
                  __attribute__((always_inline)) { return load(p + j, lanes); });
    const auto outside = static_cast<float>(keys - count);
    const float mean = outside > 0 ? factor * ((total - inside) / outside) : 0;
    float unit;
    store(&unit, exp(set1(-largest)), 1);
    const float far = outside > 0 ? unit : 0;
    const float sum =
        __builtin_fmaf(far, outside,
                       sum_terms(
                           count, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
                             const Vec e = exp(load(near + i, lanes) - set1(largest));
                             store(near + i, e, lanes);
                             return keep_first(e, lanes, zero());
                           }));
    // Everything as what lies outside, then the window anew.
    const float all_ds = sum_terms(
        keys, [&](int64_t j, auto lanes)
                  __attribute__((always_inline)) { return load(ds + j, lanes); });
    float window_ds = 0;
    for (int64_t i = 0; i < count; ++i) window_ds += near_ds[i];
    const float mean_ds = outside > 0 ? (all_ds - window_ds) / outside : 0;
    const float length = 1 / sum;
    const Vec weight = set1(far * length), f = set1(factor), rest = set1(1 - mean);
    for_vectors(
        0, keys, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          store(p + j, weight * fma(load(p + j, lanes), f, rest), lanes);
          store(ds + j, weight * (load(ds + j, lanes) - set1(mean_ds)) * f, lanes);
        });
    int64_t i = 0;
    grid.for_window(n, [&](int64_t key) {
      p[key] = near[i] * length;
      ds[key] = p[key] * (near_ds[i] - along) * factor;
      ++i;
    });
  }
};

void window_attention_backward_kernel(const WindowAttentionBackwardArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t n = s.queries, m = s.keys, c = s.code_dim, d = s.head_dim;
  const int64_t ldc = line_padded(c), ld = line_padded(d);
  const int64_t window = line_padded(args.grid.widest_window());
  const Codes kind = args.scores.codes;
  parallel_for(s.batch * s.heads, [&](int64_t task) {
    const HeadAt at(s, task);
    const float *q = args.q + at.q, *k = args.k + at.k;
    float *dq = args.dq + at.q, *dk = args.dk + at.k;
    float* q_codes = scratch(Scratch::kAttention,
                             (n + m) * ldc + m * ld + 2 * window + attention_backward_scratch(s));
    float* k_codes = q_codes + n * ldc;
    float* values = k_codes + m * ldc;
    float* near = values + m * ld;
    encode_rows(kind, q, s.q_row, n, c, 0, q_codes, ldc);
    encode_rows(kind, k, s.k_row, m, c, 0, k_codes, ldc);
    const float scale = take_values(args.value, args.v + at.v, s.v_row, m, d, values, ld);
    if (args.value != ValueFormat::kFloat) scale_rows(values, ld, m, d, scale);
    const HeadScores scores(args.scores, at.head);
    const WindowRows rows = {args.grid, scores.factor, m};
    attention_backward_rows({.queries = n,
                             .keys = m,
                             .code_dim = c,
                             .head_dim = d,
                             .q = q_codes,
                             .q_row = ldc,
                             .k = k_codes,
                             .k_row = ldc,
                             .v = values,
                             .v_row = ld,
                             .out = args.out + at.o,
                             .dout = args.dout + at.o,
                             .o_row = s.o_row,
                             .dq = dq,
                             .dq_row = s.q_row,
                             .dk = dk,
                             .dk_row = s.k_row,
                             .dv = args.dv + at.v,
                             .dv_row = s.v_row,
                             .along = args.dtemperature ? args.dtemperature + task : nullptr},
                            near + 2 * window, [&](int64_t row, float along, float* p, float* ds) {
                              if (row < args.grid.first)
                                rows.prefix(along, p, ds);
                              else
                                rows.patch(row, along, near, near + window, p, ds);
                            });
    if (args.dtemperature) args.dtemperature[task] /= scores.temperature;
    for (int64_t i = 0; i < n; ++i)
      encode_row_backward(kind, q + i * s.q_row, c, 1, dq + i * s.q_row, dq + i * s.q_row);
    for (int64_t i = 0; i < m; ++i)
      encode_row_backward(kind, k + i * s.k_row, c, 1, dk + i * s.k_row, dk + i * s.k_row);
  });
}

}  // namespace
}  // namespace shiftadd
