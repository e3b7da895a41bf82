// Softmax attention on sign codes: training, through the tiles of softmax attention on +-1, and
// evaluation, where q k^T counts differing signs. Both write the same bits: the logits are whole
// numbers.
#pragma once

#include "core/cpu/simd/linear_angular.h"
#include "core/cpu/simd/signs.h"

namespace shiftadd {
namespace {

// Values of one head as floats, quantised or not: (keys, d) with leading dimension ld.
SHIFTADD_INLINE void decode_values(ValueFormat format, const float* v, int64_t ldv, int64_t rows,
                                   int64_t d, float* y, int64_t ld) {
  const float scale = take_values(format, v, ldv, rows, d, y, ld);
  if (format != ValueFormat::kFloat) scale_rows(y, ld, rows, d, scale);
}

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
    encode_rows(Codes::kSign, args.k + at.k, s.k_row, s.keys, c, 0, rows_of, ldc);
    pack_all(rows_of, ldc, true, c, s.keys, keys);
    decode_values(args.value, args.v + at.v, s.v_row, s.keys, d, rows_of, ld);
    pack_all(rows_of, ld, false, s.keys, d, values);
    attend(s, args.scale, 0, s.queries, values, codes + kTileRows * ldc, args.out + at.o,
           log_sum_exp_of(args, task), [&](int64_t i, int rows, float* p) {
             encode_rows(Codes::kSign, args.q + at.q + i * s.q_row, s.q_row, rows, c, 0, codes,
                         ldc);
             multiply_rows(codes, ldc, rows, c, keys, s.keys, p, ldp);
           });
  });
}

void softmax_add_backward_kernel(const SoftmaxAddBackwardArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t n = s.queries, m = s.keys, c = s.code_dim, d = s.head_dim;
  const int64_t ldc = line_padded(c), ld = line_padded(d);
  parallel_for(s.batch * s.heads, [&](int64_t task) {
    const HeadAt at(s, task);
    const float *q = args.q + at.q, *k = args.k + at.k;
    float *dq = args.dq + at.q, *dk = args.dk + at.k;
    float* q_codes =
        scratch(Scratch::kAttention, (n + m) * ldc + m * ld + attention_backward_scratch(s));
    float* k_codes = q_codes + n * ldc;
    float* values = k_codes + m * ldc;
    encode_rows(Codes::kSign, q, s.q_row, n, c, 0, q_codes, ldc);
    encode_rows(Codes::kSign, k, s.k_row, m, c, 0, k_codes, ldc);
    decode_values(args.value, args.v + at.v, s.v_row, m, d, values, ld);
    attention_backward_head({n,
                             m,
                             c,
                             d,
                             args.scale,
                             q_codes,
                             ldc,
                             k_codes,
                             ldc,
                             values,
                             ld,
                             args.out + at.o,
                             args.dout + at.o,
                             s.o_row,
                             args.log_sum_exp + task * n,
                             dq,
                             s.q_row,
                             dk,
                             s.k_row,
                             args.dv + at.v,
                             s.v_row},
                            values + m * ld);
    for (int64_t i = 0; i < n; ++i)
      encode_row_backward(Codes::kSign, q + i * s.q_row, c, 1, dq + i * s.q_row, dq + i * s.q_row);
    for (int64_t i = 0; i < m; ++i)
      encode_row_backward(Codes::kSign, k + i * s.k_row, c, 1, dk + i * s.k_row, dk + i * s.k_row);
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

void popcount_attention_kernel(const SoftmaxAddArgs<float>& args) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, ld = line_padded(d), ldp = padded(s.keys);
  const int64_t words = sign_words(c);
  const int64_t values_size = panels_of(d) * kTileColumns * s.keys;
  parallel_for(s.batch * s.heads, [&](int64_t task) {
    const HeadAt at(s, task);
    float* rows_of = scratch(Scratch::kAttention,
                             s.keys * ld + values_size + kTileRows * ldp + words * (ldp + 1));
    float* values = rows_of + s.keys * ld;
    float* p = values + values_size;
    // Word w of key m at keys[w * ldp + m].
    uint32_t* keys = reinterpret_cast<uint32_t*>(p + kTileRows * ldp);
    uint32_t* row = keys + words * ldp;
    for (int64_t m = 0; m < s.keys; ++m) {
      pack_signs(args.k + at.k + m * s.k_row, c, row);
      for (int64_t w = 0; w < words; ++w) keys[w * ldp + m] = row[w];
    }
    decode_values(args.value, args.v + at.v, s.v_row, s.keys, d, rows_of, ld);
    pack_all(rows_of, ld, false, s.keys, d, values);
    attend(s, args.scale, 0, s.queries, values, p, args.out + at.o, log_sum_exp_of(args, task),
           [&](int64_t i, int rows, float* scores) {
             for (int r = 0; r < rows; ++r) {
               pack_signs(args.q + at.q + (i + r) * s.q_row, c, row);
               for (int64_t m = 0; m < s.keys; m += kWidth) {
                 const VecI different = count_differences(keys + m, ldp, row, words);
                 store(scores + r * ldp + m,
                       to_floats(subtract_words(set1_word(static_cast<uint32_t>(c)),
                                                add_words(different, different))));
               }
             }
           });
  });
}

}  // namespace
}  // namespace shiftadd
