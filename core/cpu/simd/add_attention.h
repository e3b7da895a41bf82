// Linear-angular attention on sign codes for evaluation: no multiplication in either product.
//
// Each step adds one number to as many sums as a vector has lanes, in each lane with the sign that
// its packed bit tells. Sums run in the order of the training kernel's chains, where a product with
// +-1 rounds nothing, and the rest is its code: both write the same bits, whole numbers or not.
#pragma once

#include <type_traits>

#include "core/cpu/simd/linear_angular.h"
#include "core/cpu/simd/signs.h"

namespace shiftadd {
namespace {

// Sums of floats: a sign is the sign bit of the number that is added.
struct FloatSums {
  using Element = float;
  Vec sum = zero();
  static SHIFTADD_INLINE VecI signs(uint32_t bits) {
    return bit_and(spread_bits(bits), set1_word(0x80000000u));
  }
  SHIFTADD_INLINE void add(float x, VecI signs) {
    sum = sum + as_floats(bit_xor(as_words(set1(x)), signs));
  }
  SHIFTADD_INLINE void finish(VecI, float* out) const { store(out, sum); }
  static SHIFTADD_INLINE Vec floats(const float* x) { return load(x); }
};

// Sums of whole numbers: -x = (x xor -1) - (-1), the last term summed beside.
struct WholeSums {
  using Element = uint32_t;  // two's complement
  VecI sum = set1_word(0);
  static SHIFTADD_INLINE VecI signs(uint32_t bits) { return spread_bits(bits); }
  SHIFTADD_INLINE void add(uint32_t x, VecI signs) {
    sum = add_words(sum, bit_xor(set1_word(x), signs));
  }
  SHIFTADD_INLINE void finish(VecI signs, uint32_t* out) const {
    store(reinterpret_cast<float*>(out), as_floats(subtract_words(sum, signs)));
  }
  static SHIFTADD_INLINE Vec floats(const uint32_t* x) { return to_floats(load_words(x)); }
};

// out[c * ldo + lane] = sum over p of +-x[p * x_step + c * x_column], minus where bit shift + lane
// of bits[p * bits_step] is set.
template <class Sums, int kColumns>
void add_tile(int64_t steps, const uint32_t* bits, int64_t bits_step, int shift,
              const typename Sums::Element* x, int64_t x_step, int64_t x_column,
              typename Sums::Element* out, int64_t ldo) {
  Sums sums[kColumns];
  VecI all_signs = set1_word(0);
  for (int64_t p = 0; p < steps; ++p, bits += bits_step, x += x_step) {
    const VecI signs = Sums::signs(*bits >> shift);
    all_signs = add_words(all_signs, signs);
#pragma GCC unroll 16
    for (int c = 0; c < kColumns; ++c) sums[c].add(x[c * x_column], signs);
  }
#pragma GCC unroll 16
  for (int c = 0; c < kColumns; ++c) sums[c].finish(all_signs, out + c * ldo);
}

// The same for `columns` columns.
template <class Sums>
void add_product(int64_t steps, const uint32_t* bits, int64_t bits_step, int shift,
                 const typename Sums::Element* x, int64_t x_step, int64_t x_column, int64_t columns,
                 typename Sums::Element* out, int64_t ldo) {
  int64_t c = 0;
  for (; c + kWidth <= columns; c += kWidth)  // so many sums hide the latency and fit in registers
    add_tile<Sums, kWidth>(steps, bits, bits_step, shift, x + c * x_column, x_step, x_column,
                           out + c * ldo, ldo);
  for (; c < columns; ++c)
    add_tile<Sums, 1>(steps, bits, bits_step, shift, x + c * x_column, x_step, x_column,
                      out + c * ldo, ldo);
}

// Packed signs of up to kWidth rows, turned: bit r of bits[i] is set where x[r][i] is negative.
void pack_signs_across(const float* x, int64_t ldx, int64_t rows, int64_t d, uint32_t* row_words,
                       uint32_t* bits) {
  const int64_t words = sign_words(d);
  for (int64_t r = 0; r < kWidth; ++r)
    for (int64_t w = 0; w < words; ++w) row_words[w * kWidth + r] = 0;
  uint32_t row[1];
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t w = 0; w < words; ++w) {
      const int64_t left = d - w * kSignsOfWord;
      pack_signs(x + r * ldx + w * kSignsOfWord, left < kSignsOfWord ? left : kSignsOfWord, row);
      row_words[w * kWidth + r] = row[0];
    }
  for (int64_t i = 0; i < d; ++i)
    bits[i] = take_bit(load_words(row_words + i / kSignsOfWord * kWidth),
                       static_cast<int>(i % kSignsOfWord));
}

// out (kWidth, d) with leading dimension ldo = x^T for x (d, kWidth), contiguous.
SHIFTADD_INLINE void turn(const float* x, int64_t d, float* out, int64_t ldo) {
  int64_t c = 0;
  for (; c + kSquare <= d; c += kSquare)
    for (int64_t r = 0; r < kWidth; r += kSquare)
      transpose(x + c * kWidth + r, kWidth, out + r * ldo + c, ldo);
  for (; c < d; ++c)
    for (int64_t r = 0; r < kWidth; ++r) out[r * ldo + c] = x[c * kWidth + r];
}

template <class Sums>
void add_attention_head(const LinearAngularArgs<float>& args, int64_t task) {
  using Element = typename Sums::Element;
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, n = s.keys, words = sign_words(c);
  const int64_t ldc = line_padded(c), ld = line_padded(d);
  const HeadAt at(s, task);
  const float factor = product_factor(Codes::kSign, c);
  float* values = scratch(Scratch::kAttention, 2 * n * ld + d * ldc + 2 * kWidth * ld +
                                                   kWidth * ld + n * words + words * kWidth + c);
  float* m = values + n * ld;       // (kWidth, d)
  float* turned = m + kWidth * ld;  // (d, kWidth), as floats
  // Scratch holds floats; these parts of it hold sums or bits.
  Element* whole = reinterpret_cast<Element*>(turned + kWidth * ld);
  Element* kv = whole + n * ld;  // (k^T v)^T: v's channel major
  Element* tile = kv + d * ldc;  // (d, kWidth)
  uint32_t* k_signs = reinterpret_cast<uint32_t*>(tile + kWidth * ld);
  uint32_t* q_words = k_signs + n * words;
  uint32_t* q_signs = q_words + words * kWidth;

  const float scale = take_values(args.value, args.v + at.v, s.v_row, n, d, values, ld);
  const Element* v;
  if constexpr (std::is_same_v<Element, float>) {
    v = values;
  } else {
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < d; j += kWidth)
        store(reinterpret_cast<float*>(whole + i * ld + j),
              as_floats(to_words(load(values + i * ld + j))));
    v = whole;
  }
  for (int64_t i = 0; i < n; ++i) pack_signs(args.k + at.k + i * s.k_row, c, k_signs + i * words);
  for (int64_t j = 0; j < c; j += kWidth)  // lanes: channels of k
    add_product<Sums>(n, k_signs + j / kSignsOfWord, words, static_cast<int>(j % kSignsOfWord), v,
                      ld, 1, d, kv + j, ldc);
  for (int64_t i = 0; i < s.queries; i += kWidth) {  // lanes: tokens
    const int64_t rows = s.queries - i < kWidth ? s.queries - i : kWidth;
    pack_signs_across(args.q + at.q + i * s.q_row, s.q_row, rows, c, q_words, q_signs);
    add_product<Sums>(c, q_signs, 1, 0, kv, 1, ldc, d, tile, kWidth);
    for (int64_t j = 0; j < d; ++j) store(turned + j * kWidth, Sums::floats(tile + j * kWidth));
    turn(turned, d, m, ld);
    for (int64_t r = 0; r < rows; ++r)
      finish_row(args, at.head, i + r, values, ld, scale, factor, m + r * ld,
                 args.out + at.o + (i + r) * s.o_row);
  }
}

void add_attention_kernel(const LinearAngularArgs<float>& args) {
  parallel_for(args.shape.batch * args.shape.heads, [&](int64_t task) {
    if (args.value == ValueFormat::kInt8)
      add_attention_head<WholeSums>(args, task);
    else
      add_attention_head<FloatSums>(args, task);
  });
}

}  // namespace
}  // namespace shiftadd
