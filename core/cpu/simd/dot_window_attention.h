// Linear attention on codes with a window and int8 values, for evaluation: k^T v and q (k^T v) are
// sums of int8 numbers by a Unit (dot_attention.h), and the products of a window are counted from
// the codes' bits.
#pragma once

#include "core/cpu/simd/dot_attention.h"
#include "core/cpu/simd/window_attention.h"

namespace shiftadd {
namespace {

// The bits of rows of codes of two bits: 64 channels a word.
struct PackedCodes {
  int64_t channels, words;  // words of a row
  Codes64* rows;

  SHIFTADD_INLINE void pack(const float* x, int64_t row) const {
    for (int64_t w = 0; w < words; ++w) rows[row * words + w] = codes_of(true, x, channels, w);
  }
  // The product of two rows: four counts of differing bits, weighted.
  SHIFTADD_INLINE float product(int64_t row, int64_t other) const {
    const Codes64 *x = rows + row * words, *y = rows + other * words;
    int64_t total = 0;
    for (int64_t w = 0; w < words; ++w)
      total += 4 * __builtin_popcountll(x[w].negative ^ y[w].negative) +
               2 * __builtin_popcountll(x[w].negative ^ y[w].low) +
               2 * __builtin_popcountll(x[w].low ^ y[w].negative) +
               __builtin_popcountll(x[w].low ^ y[w].low);
    return static_cast<float>(9 * channels - 2 * total);
  }
};

template <class Unit>
void dot_window_attention_head(const WindowAttentionArgs<float>& args, int64_t task) {
  const DotHead head(args.shape, task, true);
  const AttentionShape& s = args.shape;
  const int64_t n = head.n, c = head.code_dim, words = (c + 63) / 64;
  const int64_t widest = args.grid.widest_window();
  constexpr int64_t kFloats = sizeof(Codes64) / sizeof(float);
  float* k_sum = scratch(Scratch::kRows, line_padded(c) * 2 + head.ld + Window::floats(widest, n) +
                                             (n + 1) * words * kFloats);
  float* own = k_sum + line_padded(c);  // the query's codes
  float* v_sum = own + line_padded(c);
  Window window(widest, v_sum + head.ld);
  const PackedCodes bits = {
      c, words, reinterpret_cast<Codes64*>(v_sum + head.ld + Window::floats(widest, n))};
  [[maybe_unused]] const Unit unit;

  const float* keys = args.k + head.at.k;
  const float scale =
      take_values(args.value, args.v + head.at.v, s.v_row, n, head.d, head.values, head.ld);
  pack_values(head.values, n, head.ld, head.groups_n * kDotPanel * kDotGroup, head.v_panels);
  multiply_keys<Unit>(head, keys);
  const int count = digits_for(3 * 127 * n);
  pack_digits(head, count);
  for (int64_t j = 0; j < c; ++j) k_sum[j] = 0;
  for (int64_t m = 0; m < n; ++m) {
    bits.pack(keys + m * s.k_row, m);
    for_vectors(
        0, c, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          store(k_sum + j, load(k_sum + j, lanes) + level_of(load(keys + m * s.k_row + j, lanes)),
                lanes);
        });
  }
  sum_rows(head.values, head.ld, n, head.d, v_sum);
  const WindowHead rows = {args.grid,   HeadScores(args.scores, head.at.head).factor,
                           n,           head.d,
                           head.values, head.ld,
                           scale,       v_sum};
  for (int64_t first = 0; first < s.queries; first += kDotBlock) {
    const int tokens = static_cast<int>(lesser(s.queries - first, kDotBlock));
    const float* queries = args.q + head.at.q + first * s.q_row;
    multiply_queries<Unit>(head, queries, tokens, count);
    for (int r = 0; r < tokens; ++r) {
      const int64_t row = first + r;
      const float* query = queries + r * s.q_row;
      bits.pack(query, n);
      finish_row(
          rows, window, row, [&](int64_t key) { return bits.product(n, key); },
          [&] {
            encode_row(Codes::kBipolar2, query, c, 1, 0, own);
            return row_product(own, k_sum, c);
          },
          head.m + r * head.wide, args.out + head.at.o + row * s.o_row);
    }
  }
}

// Values of floats are training's.
template <class Unit>
void dot_window_attention_kernel(const WindowAttentionArgs<float>& args) {
  if (args.value != ValueFormat::kInt8) return window_attention_kernel(args);
  parallel_for(args.shape.batch * args.shape.heads,
               [&](int64_t task) { dot_window_attention_head<Unit>(args, task); });
}

}  // namespace
}  // namespace shiftadd
