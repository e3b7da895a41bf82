// Softmax attention on codes: training, through the tiles of softmax attention on whole numbers,
// and evaluation, where q k^T counts differing bits. Both write the same bits: the products are
// whole numbers.
#pragma once

#include "core/cpu/simd/coded_backward.h"
#include "core/cpu/simd/signs.h"

namespace shiftadd {
namespace {

SHIFTADD_INLINE float* log_sum_exp_of(const SoftmaxAddArgs<float>& args, int64_t task) {
  return args.log_sum_exp ? args.log_sum_exp + task * args.shape.queries : nullptr;
}

void softmax_add_kernel(const SoftmaxAddArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, ldp = padded(s.keys);
  const int64_t ldc = line_padded(c), ld = line_padded(d), widest = ldc > ld ? ldc : ld;
  const int64_t keys_size = panels_of(s.keys) * kTileColumns * c,
                values_size = panels_of(d) * kTileColumns * s.keys;
  parallel_for(s.batch * s.heads, [&](int64_t task) {
    const HeadAt at(s, task);
    float* rows_of = scratch(Scratch::kAttention,
                             s.keys * widest + keys_size + values_size + kTileRows * (ldc + ldp));
    float* keys = rows_of + s.keys * widest;  // rows_of: codes of k, then values
    float* values = keys + keys_size;
    float* codes = values + values_size;
    encode_rows(args.scores.codes, args.k + at.k, s.k_row, s.keys, c, 0, rows_of, ldc);
    pack_all(rows_of, ldc, true, c, s.keys, keys);
    decode_values(args.value, args.v + at.v, s.v_row, s.keys, d, rows_of, ld);
    pack_all(rows_of, ld, false, s.keys, d, values);
    const HeadScores scores(args.scores, at.head);
    attend(s, scores.factor, 0, s.queries, values, codes + kTileRows * ldc, args.out + at.o,
           log_sum_exp_of(args, task), [&](int64_t i, int rows, float* p) {
             encode_rows(args.scores.codes, args.q + at.q + i * s.q_row, s.q_row, rows, c, 0, codes,
                         ldc);
             multiply_rows(codes, ldc, rows, c, keys, s.keys, p, ldp);
           });
  });
}

void softmax_add_backward_kernel(const SoftmaxAddBackwardArgs<float>& args) {
  coded_backward(
      args, 0,
      [&](int64_t task, const HeadScores& scores, const AttentionBackwardHead& head, float* room) {
        attention_backward_head(head, scores.factor, args.log_sum_exp + task * head.queries, room);
      });
}

// Bits set in each byte.
SHIFTADD_INLINE VecI ones_of_bytes(VecI x) {
#if defined(__AVX2__)
  const __m128i ones = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const VecI nibble = set1_word(0x0f0f0f0f);
  return add_words(look_up(ones, bit_and(x, nibble)),
                   look_up(ones, bit_and(shift_right(x, 4), nibble)));
#else  // of each two bits, then four, then eight
  x -= x >> 1 & 0x55555555u;
  x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
  return (x + (x >> 4)) & 0x0f0f0f0fu;
#endif
}

// Bits set in each 32-bit lane of x[0], x[step], ... (count words), xor with y[0], y[1], ...
SHIFTADD_INLINE VecI count_differences(const uint32_t* x, int64_t step, const uint32_t* y,
                                       int64_t count) {
  const VecI even_bytes = set1_word(0x00ff00ff);
  VecI total = set1_word(0);
  for (int64_t w = 0; w < count;) {
    VecI bytes = set1_word(0);  // 31 words of at most 8 a byte: no carries
    for (const int64_t end = count - w < 31 ? count : w + 31; w < end; ++w)
      bytes = add_words(bytes, ones_of_bytes(bit_xor(load_words(x + w * step), set1_word(y[w]))));
    const VecI pairs =
        add_words(bit_and(bytes, even_bytes), bit_and(shift_right(bytes, 8), even_bytes));
    total = add_words(total, add_words(bit_and(pairs, set1_word(0xffff)), shift_right(pairs, 16)));
  }
  return total;
}

// The bits of a row of codes: `words` of them, and as many of the second plane where there is one.
SHIFTADD_INLINE void pack_codes(Codes codes, const float* x, int64_t n, uint32_t* bits) {
  pack_signs(x, n, bits);
  if (codes == Codes::kBipolar2) pack_low_bits(x, n, bits + sign_words(n));
}

// Products of the codes of one query, `row`, with those of kWidth keys: word w of theirs at
// keys[w * ldp + lane].
template <bool two_bits>
SHIFTADD_INLINE Vec count_products(const uint32_t* keys, int64_t ldp, const uint32_t* row,
                                   int64_t words, int64_t channels) {
  const auto differences = [&](int64_t of_keys, int64_t of_row) __attribute__((always_inline)) {
    return count_differences(keys + of_keys * words * ldp, ldp, row + of_row * words, words);
  };
  VecI total = differences(0, 0);
  if constexpr (two_bits) {  // 4 of the signs, 2 of each sign with a low bit, 1 of the low bits
    const auto twice = [](VecI x) { return add_words(x, x); };
    total = add_words(twice(total), add_words(differences(0, 1), differences(1, 0)));
    total = add_words(twice(total), differences(1, 1));
  }
  const uint32_t most = static_cast<uint32_t>((two_bits ? 9 : 1) * channels);
  return to_floats(subtract_words(set1_word(most), add_words(total, total)));
}

template <bool two_bits>
void popcount_attention_head(const SoftmaxAddArgs<float>& args, int64_t task) {
  constexpr Codes kCodes = two_bits ? Codes::kBipolar2 : Codes::kSign;
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, ld = line_padded(d), ldp = padded(s.keys);
  const int64_t words = sign_words(c), planes = two_bits ? 2 : 1;
  const int64_t values_size = panels_of(d) * kTileColumns * s.keys;
  const HeadAt at(s, task);
  float* rows_of = scratch(Scratch::kAttention, s.keys * ld + values_size + kTileRows * ldp +
                                                    planes * words * (ldp + 1));
  float* values = rows_of + s.keys * ld;
  float* p = values + values_size;
  // Word w of key m at keys[w * ldp + m].
  uint32_t* keys = reinterpret_cast<uint32_t*>(p + kTileRows * ldp);
  uint32_t* row = keys + planes * words * ldp;
  for (int64_t m = 0; m < s.keys; ++m) {
    pack_codes(kCodes, args.k + at.k + m * s.k_row, c, row);
    for (int64_t w = 0; w < planes * words; ++w) keys[w * ldp + m] = row[w];
  }
  decode_values(args.value, args.v + at.v, s.v_row, s.keys, d, rows_of, ld);
  pack_all(rows_of, ld, false, s.keys, d, values);
  const HeadScores scores(args.scores, at.head);
  attend(s, scores.factor, 0, s.queries, values, p, args.out + at.o, log_sum_exp_of(args, task),
         [&](int64_t i, int rows, float* out) {
           for (int r = 0; r < rows; ++r) {
             pack_codes(kCodes, args.q + at.q + (i + r) * s.q_row, c, row);
             for (int64_t m = 0; m < s.keys; m += kWidth)
               store(out + r * ldp + m, count_products<two_bits>(keys + m, ldp, row, words, c));
           }
         });
}

void popcount_attention_kernel(const SoftmaxAddArgs<float>& args) {
  parallel_for(args.shape.batch * args.shape.heads, [&](int64_t task) {
    if (args.scores.codes == Codes::kBipolar2)
      popcount_attention_head<true>(args, task);
    else
      popcount_attention_head<false>(args, task);
  });
}

}  // namespace
}  // namespace shiftadd
