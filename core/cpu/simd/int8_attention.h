// Softmax attention in int8, for evaluation: q k^T and the product with v are sums of int8 numbers
// by a Unit (int8_gemm.h); only the softmax of a row is float. A probability is a whole number of
// 1/16383ths of the row's largest, cut into two digits of 7 bits, and v meets each digit apart.
#pragma once

#include "core/cpu/simd/dot_attention.h"
#include "core/cpu/simd/row_ops.h"
#include "core/cpu/simd/scores.h"

namespace shiftadd {
namespace {

// scale (returned) and round(x / scale), d numbers; zeros up to `line`.
SHIFTADD_INLINE float quantize_row(const float* x, int64_t d, int8_t* out, int64_t line) {
  Vec top = set1(1e-12f);
  for_vectors(
      0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        top = max(top, abs(load(x + j, lanes)));
      });
  const float largest = max_lanes(top);
  const Vec inverse = set1(127 / largest);
  for_vectors(
      0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        store_int8(out + j, to_ints(load(x + j, lanes) * inverse), lanes);
      });
  for (int64_t j = d; j < line; ++j) out[j] = 0;
  return largest / 127;
}

// The signs of a row, +-1, and zeros up to `line`, a multiple of 64.
SHIFTADD_INLINE float encode_signs(const float* x, int64_t d, int8_t* out, int64_t line) {
  for (int64_t j = 0; j < line; j += 64) {
    const int64_t left = d > j ? d - j : 0;
    store_signs(left ? signs_of(x, d, j / 64) : 0, first_bits(left), out + j);
  }
  return 1;
}

// The levels of a row, and zeros up to `line`.
SHIFTADD_INLINE float encode_levels(const float* x, int64_t d, int8_t* out, int64_t line) {
  for_vectors(
      0, d, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        store_int8(out + j, to_ints(level_of(load(x + j, lanes))), lanes);
      });
  for (int64_t j = d; j < line; ++j) out[j] = 0;
  return 1;
}

// exp(p - max p) of a row of n scores, in 16383ths, as two digits; zeros up to `line`. Returns the
// sum of the whole numbers.
SHIFTADD_INLINE int32_t exp_digits(const float* p, int64_t n, int8_t* high, int8_t* low,
                                   int64_t line) {
  Vec top = set1(-__builtin_inff());
  for_vectors(
      0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        top = max(top, keep_first(load(p + j, lanes), lanes, top));
      });
  const Vec largest = set1(max_lanes(top));
  Ints sums = set1i(0);
  for_vectors(
      0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
        const Vec e = keep_first(exp(load(p + j, lanes) - largest), lanes, zero());
        const Ints x = to_ints(e * set1(16383.f));
        sums += x;
        store_int8(high + j, x >> 7, lanes);
        store_int8(low + j, x & 127, lanes);
      });
  for (int64_t j = n; j < line; ++j) high[j] = low[j] = 0;
  int32_t sum = 0;
  for (int lane = 0; lane < kWidth; ++lane) sum += sums[lane];
  return sum;
}

template <class Unit>
void int8_attention_head(const Int8AttentionArgs<float>& args, int64_t task) {
  const AttentionShape& s = args.shape;
  const int64_t c = s.code_dim, d = s.head_dim, n = s.keys, ld = line_padded(d);
  const int64_t ldp = round_up(n, kDotBlock);
  const HeadAt at(s, task);
  const int64_t groups_n = dot_groups(n), groups_c = dot_groups(c);
  const int64_t panel_n = groups_n * kDotPanel * kDotGroup,
                panel_c = groups_c * kDotPanel * kDotGroup;
  const int64_t line_n = (groups_n + 1) * kDotGroup, line_c = (groups_c + 1) * kDotGroup;
  const int64_t values_size = n * ld, keys_size = dot_bytes(n, c) / 4, v_size = dot_bytes(d, n) / 4;
  float* values = scratch(Scratch::kAttention, values_size + keys_size + v_size +
                                                   kDotBlock * (line_c / 4 + line_n / 2 + ldp) +
                                                   ldp + line_c / 4);
  uint8_t* keys = reinterpret_cast<uint8_t*>(values + values_size);
  uint8_t* v_panels = reinterpret_cast<uint8_t*>(values + values_size + keys_size);
  int8_t* q_rows = reinterpret_cast<int8_t*>(values + values_size + keys_size + v_size);
  int8_t *high = q_rows + kDotBlock * line_c, *low = high + kDotBlock * line_n;
  float* p = reinterpret_cast<float*>(low + kDotBlock * line_n);
  float* key_scales = p + kDotBlock * ldp;
  int8_t* row = reinterpret_cast<int8_t*>(key_scales + ldp);
  const Codes codes = args.scores.codes;
  const auto encode = codes == Codes::kSign       ? encode_signs
                      : codes == Codes::kBipolar2 ? encode_levels
                                                  : quantize_row;
  const HeadScores scores(args.scores, at.head);
  alignas(64) int32_t sum[kDotBlock * kDotBlock];
  [[maybe_unused]] const Unit unit;

  const float v_scale = take_values(ValueFormat::kInt8, args.v + at.v, s.v_row, n, d, values, ld);
  pack_values(values, n, ld, panel_n, v_panels);
  for (int64_t m = 0; m < n; ++m) {
    key_scales[m] = encode(args.k + at.k + m * s.k_row, c, row, groups_c * kDotGroup);
    uint8_t* to = keys + m / kDotPanel * panel_c + m % kDotPanel * 4;
    for (int64_t j = 0; j < groups_c * kDotGroup; j += 4) {
      uint32_t four;
      __builtin_memcpy(&four, row + j, sizeof four);
      four ^= 0x80808080;  // + 128
      __builtin_memcpy(to + j * kDotPanel, &four, sizeof four);
    }
  }
  for (int64_t m = n; m < ldp; ++m) key_scales[m] = 0;

  for (int64_t first = 0; first < s.queries; first += kDotBlock) {
    const int count = static_cast<int>(lesser(s.queries - first, kDotBlock));
    float factors[kDotBlock];
    int32_t offsets[kDotBlock], totals[kDotBlock];
    for (int r = 0; r < kDotBlock; ++r) {
      const float* q = args.q + at.q + (first + (r < count ? r : 0)) * s.q_row;
      const float scale = encode(q, c, q_rows + r * line_c, groups_c * kDotGroup);
      factors[r] = scale * scores.factor;
      offsets[r] =
          Unit::kOffset ? kDotOffset * sum_bytes(q_rows + r * line_c, groups_c * kDotGroup) : 0;
    }
    for (int64_t m = 0; m < ldp; m += kDotBlock) {
      Unit::multiply(groups_c, count, {q_rows, line_c}, keys + m / kDotPanel * panel_c, sum);
      for (int r = 0; r < count; ++r)
        for (int lane = 0; lane < kDotBlock; lane += kWidth) {
          const Vec exact = to_floats(load_ints(sum + r * kDotBlock + lane) - offsets[r]);
          store(p + r * ldp + m + lane, exact * set1(factors[r]) * load(key_scales + m + lane));
        }
    }
    for (int r = 0; r < count; ++r)
      totals[r] =
          exp_digits(p + r * ldp, n, high + r * line_n, low + r * line_n, groups_n * kDotGroup);
    for (int64_t j = 0; j < d; j += kDotBlock) {
      Unit::multiply(groups_n, count, {high, line_n}, v_panels + j / kDotPanel * panel_n, sum);
      alignas(64) int32_t below[kDotBlock * kDotBlock];
      Unit::multiply(groups_n, count, {low, line_n}, v_panels + j / kDotPanel * panel_n, below);
      for (int r = 0; r < count; ++r) {
        const Vec factor = set1(v_scale / static_cast<float>(totals[r]));
        const int32_t offset = Unit::kOffset ? kDotOffset * totals[r] : 0;
        for_vectors(
            0, lesser(d - j, kDotBlock), [&](int64_t i, auto lanes) __attribute__((always_inline)) {
              const Ints exact = (load_ints(sum + r * kDotBlock + i) << 7) +
                                 load_ints(below + r * kDotBlock + i) - offset;
              store(args.out + at.o + (first + r) * s.o_row + j + i, to_floats(exact) * factor,
                    lanes);
            });
      }
    }
  }
}

template <class Unit>
void int8_attention_kernel(const Int8AttentionArgs<float>& args) {
  parallel_for(args.shape.batch * args.shape.heads,
               [&](int64_t task) { int8_attention_head<Unit>(args, task); });
}

}  // namespace
}  // namespace shiftadd
