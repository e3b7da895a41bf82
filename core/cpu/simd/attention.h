// Softmax attention, one (image, head) at a time on one thread, scores in that thread's scratch.
//
// Backward needs no stored scores: p = exp(scale q.k - log_sum_exp) (Dao et al. 2022,
// FlashAttention).
#pragma once

#include "core/cpu/gemm.h"
#include "core/cpu/simd/gemm_tile.h"
#include "core/cpu/simd/rows.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

constexpr int64_t panels_of(int64_t n) { return (n + kTileColumns - 1) / kTileColumns; }
// Leading dimension of a row of n scores: whole vectors, and odd in cache lines, so that the rows
// of a tile do not fall into the same sets.
constexpr int64_t padded(int64_t n) { return ((n + 15) / 16 | 1) * 16; }

// op(b) (k, n) in panels; see pack_panel.
SHIFTADD_INLINE void pack_all(const float* b, int64_t ldb, bool transposed, int64_t k, int64_t n,
                              float* packed) {
  for (int64_t j = 0; j < n; j += kTileColumns)
    pack_panel(b + (transposed ? j * ldb : j), ldb, transposed, k,
               static_cast<int>(n - j < kTileColumns ? n - j : kTileColumns), packed + j * k);
}

// c (rows, n) = a (rows, k) b, rows <= kTileRows, b packed; a packed too when lda is 0.
SHIFTADD_INLINE void multiply_rows(const float* a, int64_t lda, int rows, int64_t k, const float* b,
                                   int64_t n, float* c, int64_t ldc) {
  for (int64_t j = 0; j < n; j += kTileColumns)
    run_tile(rows, lda == 0, k, a, lda, b + j * k,
             {c + j, ldc, static_cast<int>(n - j < kTileColumns ? n - j : kTileColumns)});
}

// Calls body(first row, rows) for tiles of [begin, end) whose heights differ by at most one.
template <class Body>
SHIFTADD_INLINE void for_row_tiles(int64_t begin, int64_t end, Body body) {
  const int64_t n = end - begin, tiles = (n + kTileRows - 1) / kTileRows;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t i = n * t / tiles;
    body(begin + i, static_cast<int>(n * (t + 1) / tiles - i));
  }
}

void attention_kernel(const AttentionArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t d = s.head_dim, ldp = padded(s.keys);
  // Fewer heads than keep the threads busy: cut the queries too, although each cut packs the keys
  // and values again. Results do not depend on the cuts.
  const int64_t heads = s.batch * s.heads;
  int64_t cuts = 1;
  while (heads * cuts < 2 * num_threads() && s.queries >= 64 * cuts) cuts *= 2;
  const int64_t keys_size = panels_of(s.keys) * kTileColumns * d,
                values_size = panels_of(d) * kTileColumns * s.keys;
  parallel_for(heads * cuts, [&](int64_t task) {
    const int64_t b = task / cuts / s.heads, h = task / cuts % s.heads, cut = task % cuts;
    float* keys = scratch(Scratch::kAttention, keys_size + values_size + kTileRows * ldp);
    float* values = keys + keys_size;
    float* p = values + values_size;
    const int64_t first = b * s.k_batch + h * s.k_head;
    pack_all(args.k + first, s.k_row, true, d, s.keys, keys);
    pack_all(args.v + first, s.k_row, false, s.keys, d, values);
    const float scale = static_cast<float>(args.scale);
    for_row_tiles(s.queries * cut / cuts, s.queries * (cut + 1) / cuts, [&](int64_t i, int rows) {
      multiply_rows(args.q + b * s.q_batch + i * s.q_row + h * s.q_head, s.q_row, rows, d, keys,
                    s.keys, p, ldp);
      float sum[kTileRows];
      for (int r = 0; r < rows; ++r) {
        float largest;
        sum[r] = exp_row(p + r * ldp, s.keys, scale, p + r * ldp, &largest);
        if (args.log_sum_exp)
          args.log_sum_exp[(b * s.heads + h) * s.queries + i + r] =
              scale * largest + __builtin_logf(sum[r]);
      }
      float* out = args.out + b * s.o_batch + i * s.o_row + h * s.o_head;
      multiply_rows(p, ldp, rows, s.keys, values, d, out, s.o_row);
      for (int r = 0; r < rows; ++r) scale_row(out + r * s.o_row, d, 1 / sum[r]);
    });
  });
}

// c (m, n) = x^T b for x (k, m) with leading dimension ldx, b packed.
SHIFTADD_INLINE void multiply_transposed(const float* x, int64_t ldx, int64_t k, int64_t m,
                                         const float* b, int64_t n, float* panel, float* c,
                                         int64_t ldc) {
  for_row_tiles(0, m, [&](int64_t i, int rows) {
    pack_columns(x + i, ldx, k, rows, panel);
    multiply_rows(panel, 0, rows, k, b, n, c + i * ldc, ldc);
  });
}

void attention_backward_kernel(const AttentionBackwardArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t d = s.head_dim, ldp = padded(s.keys), n = s.queries, m = s.keys;
  const int64_t across = panels_of(m) * kTileColumns * d;              // packed k^T or v^T
  const int64_t down = panels_of(d) * kTileColumns * (m > n ? m : n);  // packed k, q or dout
  parallel_for(s.batch * s.heads, [&](int64_t task) {
    const int64_t b = task / s.heads, h = task % s.heads;
    const int64_t at_q = b * s.q_batch + h * s.q_head, at_k = b * s.k_batch + h * s.k_head;
    const int64_t at_o = b * s.o_batch + h * s.o_head;
    float* keys = scratch(Scratch::kAttention, 2 * across + down + 2 * n * ldp + n * kTileRows);
    float* values = keys + across;
    float* tall = values + across;
    float* p = tall + down;
    float* ds = p + n * ldp;
    float* panel = ds + n * ldp;
    pack_all(args.k + at_k, s.k_row, true, d, m, keys);
    pack_all(args.v + at_k, s.k_row, true, d, m, values);
    pack_all(args.k + at_k, s.k_row, false, m, d, tall);
    const Vec scale = set1(static_cast<float>(args.scale));
    for_row_tiles(0, n, [&](int64_t i, int rows) {
      multiply_rows(args.q + at_q + i * s.q_row, s.q_row, rows, d, keys, m, p + i * ldp, ldp);
      multiply_rows(args.dout + at_o + i * s.o_row, s.o_row, rows, d, values, m, ds + i * ldp, ldp);
      for (int64_t row = i; row < i + rows; ++row) {
        const float *out = args.out + at_o + row * s.o_row,
                    *dout = args.dout + at_o + row * s.o_row;
        // sum over keys of p dp
        const Vec mean = set1(sum_terms(
            d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
              return load(out + j, lanes) * load(dout + j, lanes);
            }));
        const Vec log_sum_exp = set1(args.log_sum_exp[task * n + row]);
        float *p_row = p + row * ldp, *ds_row = ds + row * ldp;
        for_vectors(
            0, m, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
              const Vec e = exp(load(p_row + j, lanes) * scale - log_sum_exp);
              store(p_row + j, e, lanes);
              store(ds_row + j, e * (load(ds_row + j, lanes) - mean) * scale, lanes);
            });
      }
      multiply_rows(ds + i * ldp, ldp, rows, m, tall, d, args.dq + at_q + i * s.q_row, s.q_row);
    });
    pack_all(args.dout + at_o, s.o_row, false, n, d, tall);
    multiply_transposed(p, ldp, n, m, tall, d, panel, args.dv + at_k, s.k_row);
    pack_all(args.q + at_q, s.q_row, false, n, d, tall);
    multiply_transposed(ds, ldp, n, m, tall, d, panel, args.dk + at_k, s.k_row);
  });
}

}  // namespace
}  // namespace shiftadd
