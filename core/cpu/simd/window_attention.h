// Linear attention on codes with a window, forward: what all keys give together is q (k^T v), and
// each row's window is taken out of it and put back as softmax weighs it. Training and evaluation
// end a row by the same two functions, so both write the same bits: what they are given are sums of
// whole numbers where values are int8.
#pragma once

#include "core/cpu/simd/linear_angular.h"
#include "core/cpu/simd/scores.h"

namespace shiftadd {
namespace {

// One head as a row of its output is ended.
struct WindowHead {
  const PatchGrid& grid;
  float factor;     // of a product of codes
  int64_t keys, d;  // of values
  const float* v;   // (keys, d) in units of `scale`
  int64_t ldv;
  float scale;
  const float* v_sum;  // (d): over all keys
};

// How the window of one row weighs beside the other keys.
struct WindowWeights {
  float mean;  // of the scores outside
  float far;   // what a score outside adds to 1 is weighed by
  float sum;   // of the weights of all keys
};

// products: of a row with the `count` keys of its window, whose sum is `inside`; its sum over all
// keys is `total`. e, room for so many, becomes exp(score - top), the top that of the
// window's scores and, where keys lie outside, of 0, the score of what weighs 1.
SHIFTADD_INLINE WindowWeights weigh_window(const float* products, int64_t count, float inside,
                                           float total, int64_t keys, float scale, float* e) {
  const Vec factor = set1(scale);
  const auto outside = static_cast<float>(keys - count);
  const Vec least = set1(outside > 0 ? 0 : -__builtin_inff());
  Vec top = least;
  for_vectors(
      0, count, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        top = max(top, keep_first(load(products + i, lanes) * factor, lanes, least));
      });
  const Vec largest = set1(max_lanes(top));
  float unit;
  store(&unit, exp(zero() - largest), 1);
  const float sum = sum_terms(
      count, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const Vec x = exp(load(products + i, lanes) * factor - largest);
        store(e + i, x, lanes);
        return keep_first(x, lanes, zero());
      });
  if (outside == 0) return {.mean = 0, .far = 0, .sum = sum};
  return {.mean = scale * ((total - inside) / outside),
          .far = unit,
          .sum = __builtin_fmaf(unit, outside, sum)};
}

// The window of one row: its keys, the products of the query's codes with theirs, and room for
// their weights and for the products with all `tokens`.
struct Window {
  Window(int64_t widest, float* room)
      : products(room),
        weights(room + line_padded(widest)),
        keys(reinterpret_cast<int64_t*>(room + 2 * line_padded(widest))),
        all(room + 4 * line_padded(widest)) {}
  static int64_t floats(int64_t widest, int64_t tokens) {
    return 4 * line_padded(widest) + line_padded(tokens);
  }

  // product(key): of the query with a key.
  template <class Product>
  SHIFTADD_INLINE void find(const PatchGrid& grid, int64_t query, Product product) {
    count = 0;
    inside = 0;
    grid.for_window(query, [&](int64_t key) {
      keys[count] = key;
      inside += products[count++] = product(key);
    });
  }
  float *products, *weights;
  int64_t* keys;
  float* all;
  int64_t count = 0;
  float inside = 0;  // the sum of the products: whole
};

// A row of the output, of a patch. total: the sum of the query's products with all keys; m = q (k^T
// v).
__attribute__((noinline)) void finish_patch(const WindowHead& head, const Window& window,
                                            float total, const float* m, float* out) {
  const int64_t count = window.count;
  const float* weights = window.weights;
  const WindowWeights w = weigh_window(window.products, count, window.inside, total, head.keys,
                                       head.factor, window.weights);
  // Everything as what lies outside, then the window anew: its weights less those.
  const Vec factor = set1(head.factor), rest = set1(1 - w.mean), beyond = set1(w.far);
  for_vectors(
      0, count, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const Vec expanded = fma(load(window.products + i, lanes), factor, rest);
        store(window.weights + i, fnma(beyond, expanded, load(weights + i, lanes)), lanes);
      });
  const Vec all = set1(w.far * (1 - w.mean)), product = set1(w.far * head.factor);
  const Vec length = set1(head.scale / w.sum);
  for_vectors(
      0, head.d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        Vec y = fma(product, load(m + j, lanes), all * load(head.v_sum + j, lanes));
        for (int64_t i = 0; i < count; ++i)
          y = fma(set1(weights[i]), load(head.v + window.keys[i] * head.ldv + j, lanes), y);
        store(out + j, y * length, lanes);
      });
}

// Row n of the output, of a token before the patches: softmax over the products with all keys,
// which are overwritten.
__attribute__((noinline)) void finish_prefix(const WindowHead& head, float* products, float* out) {
  float largest;
  const float sum = exp_row(products, head.keys, head.factor, products, &largest);
  const Vec length = set1(head.scale / sum);
  for_vectors(
      0, head.d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        Vec y = zero();
        for (int64_t m = 0; m < head.keys; ++m)
          y = fma(set1(products[m]), load(head.v + m * head.ldv + j, lanes), y);
        store(out + j, y * length, lanes);
      });
}

// Row `row` of the output. product(key): of its query with a key; total(): with all keys; m as
// finish_patch's.
template <class Product, class Total>
SHIFTADD_INLINE void finish_row(const WindowHead& head, Window& window, int64_t row,
                                Product product, Total total, const float* m, float* out) {
  if (row < head.grid.first) {
    for (int64_t key = 0; key < head.keys; ++key) window.all[key] = product(key);
    return finish_prefix(head, window.all, out);
  }
  window.find(head.grid, row, product);
  finish_patch(head, window, total(), m, out);
}

// Sums of the columns of x (rows, d), in order; whole where x is.
SHIFTADD_INLINE void sum_rows(const float* x, int64_t ldx, int64_t rows, int64_t d, float* sum) {
  for_vectors(
      0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        Vec y = zero();
        for (int64_t n = 0; n < rows; ++n) y = y + load(x + n * ldx + j, lanes);
        store(sum + j, y, lanes);
      });
}

SHIFTADD_INLINE float row_product(const float* x, const float* y, int64_t d) {
  return sum_terms(
      d, [&](int64_t j, auto lanes)
             __attribute__((always_inline)) { return load(x + j, lanes) * load(y + j, lanes); });
}

void window_attention_kernel(const WindowAttentionArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, n = s.keys;
  const int64_t ldc = line_padded(c), ld = line_padded(d);
  const int64_t widest = args.grid.widest_window();
  const int64_t packed_columns = panels_of(d) * kTileColumns;
  parallel_for(s.batch * s.heads, [&](int64_t task) {
    const HeadAt at(s, task);
    float* codes = scratch(Scratch::kAttention, n * (ldc + ld) + (n + c) * packed_columns + c * ld +
                                                    n * kTileRows + kTileRows * (ldc + ld) + ldc +
                                                    ld + Window::floats(widest, n));
    float* values = codes + n * ldc;
    float* packed = values + n * ld;
    float* sums = packed + n * packed_columns;  // k^T v
    float* packed_sums = sums + c * ld;
    float* panel = packed_sums + c * packed_columns;
    float* q = panel + n * kTileRows;
    float* m = q + kTileRows * ldc;
    float* k_sum = m + kTileRows * ld;
    float* v_sum = k_sum + ldc;
    Window window(widest, v_sum + ld);
    const Codes kind = args.scores.codes;
    const float scale = take_values(args.value, args.v + at.v, s.v_row, n, d, values, ld);
    encode_rows(kind, args.k + at.k, s.k_row, n, c, 0, codes, ldc);
    multiply_transposed(codes, ldc, n, c, as_panels(values, ld, n, d, packed), d, panel, sums, ld);
    const float* kv = as_panels(sums, ld, c, d, packed_sums);
    sum_rows(codes, ldc, n, c, k_sum);
    sum_rows(values, ld, n, d, v_sum);
    const WindowHead head = {
        args.grid, HeadScores(args.scores, at.head).factor, n, d, values, ld, scale, v_sum};
    for_row_tiles(0, s.queries, [&](int64_t i, int rows) {
      encode_rows(kind, args.q + at.q + i * s.q_row, s.q_row, rows, c, 0, q, ldc);
      multiply_rows(q, ldc, rows, c, kv, d, m, ld);
      for (int64_t row = i; row < i + rows; ++row) {
        const float* own = q + (row - i) * ldc;
        finish_row(
            head, window, row, [&](int64_t key) { return row_product(own, codes + key * ldc, c); },
            [&] { return row_product(own, k_sum, c); }, m + (row - i) * ld,
            args.out + at.o + row * s.o_row);
      }
    });
  });
}

}  // namespace
}  // namespace shiftadd
