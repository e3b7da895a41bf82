// Softmax attention, one (image, head) at a time on one thread, scores in that thread's scratch.
//
// Backward needs no stored scores: p = exp(scale q.k - log_sum_exp) (Dao et al. 2022,
// FlashAttention).
#pragma once

#include "core/cpu/scratch.h"
#include "core/cpu/simd/gemm_tile.h"
#include "core/cpu/simd/row_ops.h"
#include "core/kernels/attention.h"
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

// Rows [begin, end) of one head, given its values in panels; out and log_sum_exp (or null) begin at
// its row 0. scores(i, rows, p) writes q k^T of rows i .. i + rows, leading dimension padded(keys).
template <class Scores>
SHIFTADD_INLINE void attend(const AttentionShape& s, double scale, int64_t begin, int64_t end,
                            const float* values, float* p, float* out, float* log_sum_exp,
                            Scores scores) {
  const int64_t d = s.head_dim, ldp = padded(s.keys);
  const float factor = static_cast<float>(scale);
  for_row_tiles(begin, end, [&](int64_t i, int rows) {
    scores(i, rows, p);
    float sum[kTileRows];
    for (int r = 0; r < rows; ++r) {
      float largest;
      sum[r] = exp_row(p + r * ldp, s.keys, factor, p + r * ldp, &largest);
      if (log_sum_exp) log_sum_exp[i + r] = factor * largest + __builtin_logf(sum[r]);
    }
    multiply_rows(p, ldp, rows, s.keys, values, d, out + i * s.o_row, s.o_row);
    for (int r = 0; r < rows; ++r) scale_row(out + (i + r) * s.o_row, d, 1 / sum[r]);
  });
}

inline void attention_kernel(const AttentionArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, ldp = padded(s.keys);
  // Fewer heads than keep the threads busy: cut the queries too, although each cut packs the keys
  // and values again. Results do not depend on the cuts.
  const int64_t heads = s.batch * s.heads;
  int64_t cuts = 1;
  while (heads * cuts < 2 * num_threads() && s.queries >= 64 * cuts) cuts *= 2;
  const int64_t keys_size = panels_of(s.keys) * kTileColumns * c,
                values_size = panels_of(d) * kTileColumns * s.keys;
  parallel_for(heads * cuts, [&](int64_t task) {
    const int64_t b = task / cuts / s.heads, h = task / cuts % s.heads, cut = task % cuts;
    float* keys = scratch(Scratch::kAttention, keys_size + values_size + kTileRows * ldp);
    float* values = keys + keys_size;
    pack_all(args.k + b * s.k_batch + h * s.k_head, s.k_row, true, c, s.keys, keys);
    pack_all(args.v + b * s.v_batch + h * s.v_head, s.v_row, false, s.keys, d, values);
    const float* q = args.q + b * s.q_batch + h * s.q_head;
    attend(s, args.scale, s.queries * cut / cuts, s.queries * (cut + 1) / cuts, values,
           values + values_size, args.out + b * s.o_batch + h * s.o_head,
           args.log_sum_exp ? args.log_sum_exp + (b * s.heads + h) * s.queries : nullptr,
           [&](int64_t i, int rows, float* p) {
             multiply_rows(q + i * s.q_row, s.q_row, rows, c, keys, s.keys, p, ldp);
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

// One head: row i of q begins at q + i * q_row, and so on.
struct AttentionBackwardHead {
  int64_t queries, keys, code_dim, head_dim;
  const float* q;
  int64_t q_row;
  const float* k;
  int64_t k_row;
  const float* v;
  int64_t v_row;
  const float *out, *dout;
  int64_t o_row;
  float* dq;
  int64_t dq_row;
  float* dk;
  int64_t dk_row;
  float* dv;
  int64_t dv_row;
  float* along = nullptr;  // sum of q dq, or null: what the gradient of a temperature is made of
};

// Floats of scratch that a head takes.
SHIFTADD_INLINE int64_t attention_backward_scratch(const AttentionShape& s) {
  const int64_t n = s.queries, m = s.keys;
  const int64_t widest = s.code_dim > s.head_dim ? s.code_dim : s.head_dim;
  return panels_of(m) * kTileColumns * (s.code_dim + s.head_dim) +
         panels_of(widest) * kTileColumns * (m > n ? m : n) + 2 * n * padded(m) + n * kTileRows;
}

// row(n, mean, p, ds): of query n, makes the products p = q k^T weights, and ds = dout v^T, the
// gradients of the weights, those of the products; mean: sum over channels of out dout, which is
// that over keys of weight times its gradient.
template <class Row>
void attention_backward_rows(const AttentionBackwardHead& head, float* keys, Row row_of) {
  const int64_t n = head.queries, m = head.keys, ldp = padded(m);
  const int64_t c = head.code_dim, d = head.head_dim, widest = c > d ? c : d;
  const int64_t across = panels_of(m) * kTileColumns;  // a channel of packed k^T or v^T
  const int64_t down = panels_of(widest) * kTileColumns * (m > n ? m : n);  // packed k, q or dout
  float* values = keys + across * c;
  float* tall = values + across * d;
  float* p = tall + down;
  float* ds = p + n * ldp;
  float* panel = ds + n * ldp;
  pack_all(head.k, head.k_row, true, c, m, keys);
  pack_all(head.v, head.v_row, true, d, m, values);
  pack_all(head.k, head.k_row, false, m, c, tall);
  double along = 0;
  for_row_tiles(0, n, [&](int64_t i, int rows) {
    multiply_rows(head.q + i * head.q_row, head.q_row, rows, c, keys, m, p + i * ldp, ldp);
    multiply_rows(head.dout + i * head.o_row, head.o_row, rows, d, values, m, ds + i * ldp, ldp);
    for (int64_t row = i; row < i + rows; ++row) {
      const float *out = head.out + row * head.o_row, *dout = head.dout + row * head.o_row;
      const float mean = sum_terms(
          d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            return load(out + j, lanes) * load(dout + j, lanes);
          });
      row_of(row, mean, p + row * ldp, ds + row * ldp);
    }
    multiply_rows(ds + i * ldp, ldp, rows, m, tall, c, head.dq + i * head.dq_row, head.dq_row);
    for (int64_t row = i; head.along && row < i + rows; ++row)
      along += sum_terms(
          c, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            return load(head.q + row * head.q_row + j, lanes) *
                   load(head.dq + row * head.dq_row + j, lanes);
          });
  });
  pack_all(head.dout, head.o_row, false, n, d, tall);
  multiply_transposed(p, ldp, n, m, tall, d, panel, head.dv, head.dv_row);
  pack_all(head.q, head.q_row, false, n, c, tall);
  multiply_transposed(ds, ldp, n, m, tall, c, panel, head.dk, head.dk_row);
  if (head.along) *head.along = static_cast<float>(along);
}

// Softmax attention's, from what forward kept of each row.
void attention_backward_head(const AttentionBackwardHead& head, double given_scale,
                             const float* log_sum_exp, float* scratch) {
  const Vec scale = set1(static_cast<float>(given_scale));
  attention_backward_rows(head, scratch, [&](int64_t row, float mean, float* p, float* ds) {
    const Vec top = set1(log_sum_exp[row]), back = set1(mean);
    for_vectors(
        0, head.keys, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          const Vec e = exp(load(p + j, lanes) * scale - top);
          store(p + j, e, lanes);
          store(ds + j, e * (load(ds + j, lanes) - back) * scale, lanes);
        });
  });
}

inline void attention_backward_kernel(const AttentionBackwardArgs<float>& args) {
  const AttentionShape& s = args.shape;
  parallel_for(s.batch * s.heads, [&](int64_t task) {
    const int64_t b = task / s.heads, h = task % s.heads;
    const int64_t q = b * s.q_batch + h * s.q_head, k = b * s.k_batch + h * s.k_head;
    const int64_t v = b * s.v_batch + h * s.v_head, o = b * s.o_batch + h * s.o_head;
    attention_backward_head({.queries = s.queries,
                             .keys = s.keys,
                             .code_dim = s.code_dim,
                             .head_dim = s.head_dim,
                             .q = args.q + q,
                             .q_row = s.q_row,
                             .k = args.k + k,
                             .k_row = s.k_row,
                             .v = args.v + v,
                             .v_row = s.v_row,
                             .out = args.out + o,
                             .dout = args.dout + o,
                             .o_row = s.o_row,
                             .dq = args.dq + q,
                             .dq_row = s.q_row,
                             .dk = args.dk + k,
                             .dk_row = s.k_row,
                             .dv = args.dv + v,
                             .dv_row = s.v_row},
                            args.scale, args.log_sum_exp + task * s.queries,
                            scratch(Scratch::kAttention, attention_backward_scratch(s)));
  });
}

}  // namespace
}  // namespace shiftadd
