// Linear-angular attention, backward: codes, values and both products are made again from q, k, v.
//
// With o = a / |a|, a = v / 2 + c q (k^T v), for the gradient g of o:
//   da = (g - o (o . g)) / |a|      dq = c da (k^T v)^T      dkv = q^T da
//   dk = c v dkv^T                  dv = da / 2 + c k dkv + the local filter turned round on g
// dq and dk then pass the codes' estimators.
#pragma once

#include "core/cpu/simd/linear_angular.h"

namespace shiftadd {
namespace {

// m = q (k^T v) of one row becomes da; g is the gradient of the output row.
SHIFTADD_INLINE void angular_row_backward(const float* v, const float* g, int64_t d, float factor,
                                          float* m) {
  const float squares = angular_row(v, d, factor, m);
  const float length = 1 / __builtin_sqrtf(squares + kUnitEps);
  const float along = sum_terms(
      d, [&](int64_t j, auto lanes)
             __attribute__((always_inline)) { return load(m + j, lanes) * load(g + j, lanes); });
  const Vec scale = set1(length), back = set1(along * length * length);
  for_vectors(
      0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        store(m + j, scale * fnma(load(m + j, lanes), back, load(g + j, lanes)), lanes);
      });
}

// dv of row n from through = k dkv; da is null for a row that asked nothing, g begins at row 0.
SHIFTADD_INLINE void value_row_backward(const LinearAngularBackwardArgs<float>& args, int64_t head,
                                        int64_t n, const float* through, const float* da,
                                        const float* g, float factor, float* dv) {
  const LocalShape& s = args.local;
  const int64_t taps = s.kernel_h * s.kernel_w, asked = args.shape.queries;
  const Reach reach = args.local_weight ? reach_of(s, n) : Reach();
  const float* last = args.local_weight ? args.local_weight + (head + 1) * taps - 1 : nullptr;
  for_vectors(
      0, args.shape.head_dim, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        Vec sum = fma(set1(factor), load(through + j, lanes),
                      filter_sum<-1>(s, reach, last, g, args.shape.o_row, asked, j, lanes));
        if (da) sum = fma(set1(0.5f), load(da + j, lanes), sum);
        store(dv + j, sum, lanes);
      });
}

void linear_angular_backward_kernel(const LinearAngularBackwardArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, n = s.keys, asked = s.queries;
  const int64_t ldc = line_padded(c), ld = line_padded(d), widest = c > d ? c : d;
  const int64_t packed_columns = panels_of(widest) * kTileColumns;
  const int64_t heads = s.batch * s.heads, taps = args.local.kernel_h * args.local.kernel_w;
  const bool unit = is_unit(args.codes);
  const float factor = product_factor(args.codes, c);
  float* partial = args.dlocal_weight ? scratch(Scratch::kRows, heads * taps) : nullptr;
  parallel_for(heads, [&](int64_t task) {
    const HeadAt at(s, task);
    const float *q = args.q + at.q, *k = args.k + at.k, *g = args.dout + at.o;
    float* q_codes =
        scratch(Scratch::kAttention, 2 * n * (ldc + ld) + (n + widest) * packed_columns + c * ld +
                                         n * kTileRows + kTileRows * line_padded(widest));
    float* k_codes = q_codes + n * ldc;
    float* values = k_codes + n * ldc;
    float* da = values + n * ld;
    float* tall = da + n * ld;                      // v or da in panels
    float* small = tall + n * packed_columns;       // (c, d) or (d, c) in panels
    float* sums = small + widest * packed_columns;  // k^T v, then its gradient
    float* panel = sums + c * ld;
    float* tile = panel + n * kTileRows;

    const float scale = take_values(args.value, args.v + at.v, s.v_row, n, d, values, ld);
    if (args.value != ValueFormat::kFloat) scale_rows(values, ld, n, d, scale);
    encode_rows(args.codes, k, s.k_row, n, c, unit ? args.thresholds[heads + task] : 0, k_codes,
                ldc);
    encode_rows(args.codes, q, s.q_row, asked, c, unit ? args.thresholds[task] : 0, q_codes, ldc);
    multiply_transposed(k_codes, ldc, n, c, as_panels(values, ld, n, d, tall), d, panel, sums, ld);
    const float* kv = as_panels(sums, ld, c, d, small);
    for_row_tiles(0, asked, [&](int64_t i, int rows) {
      multiply_rows(q_codes + i * ldc, ldc, rows, c, kv, d, da + i * ld, ld);
      for (int64_t row = i; row < i + rows; ++row)
        angular_row_backward(values + row * ld, g + row * s.o_row, d, factor, da + row * ld);
    });

    pack_all(sums, ld, true, d, c, small);
    for_row_tiles(0, asked, [&](int64_t i, int rows) {
      multiply_rows(da + i * ld, ld, rows, d, small, c, tile, ldc);
      for (int64_t r = 0; r < rows; ++r)
        encode_row_backward(args.codes, q + (i + r) * s.q_row, c, factor, tile + r * ldc,
                            args.dq + at.q + (i + r) * s.q_row);
    });
    for (int64_t row = asked; row < n; ++row)
      for_vectors(
          0, c, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            store(args.dq + at.q + row * s.q_row + j, zero(), lanes);
          });

    multiply_transposed(q_codes, ldc, asked, c, as_panels(da, ld, asked, d, tall), d, panel, sums,
                        ld);
    pack_all(sums, ld, true, d, c, small);
    for_row_tiles(0, n, [&](int64_t i, int rows) {
      multiply_rows(values + i * ld, ld, rows, d, small, c, tile, ldc);
      for (int64_t r = 0; r < rows; ++r)
        encode_row_backward(args.codes, k + (i + r) * s.k_row, c, factor, tile + r * ldc,
                            args.dk + at.k + (i + r) * s.k_row);
    });
    const float* dkv = as_panels(sums, ld, c, d, small);
    for_row_tiles(0, n, [&](int64_t i, int rows) {
      multiply_rows(k_codes + i * ldc, ldc, rows, c, dkv, d, tile, ld);
      for (int64_t row = i; row < i + rows; ++row)
        value_row_backward(args, at.head, row, tile + (row - i) * ld,
                           row < asked ? da + row * ld : nullptr, g, factor,
                           args.dv + at.v + row * s.v_row);
    });
    if (partial)
      filter_weight_backward(args.local, asked, d, g, s.o_row, values, ld, partial + task * taps);
  });
  if (partial)  // heads * taps columns of `batch` rows, summed in order
    add_partials(partial, s.batch, s.heads * taps, args.dlocal_weight);
}

}  // namespace
}  // namespace shiftadd
