// Linear attention on whole codes and int8 values, for evaluation: both products are sums of int8
// numbers by a Unit (int8_gemm.h), exact, and so the integers that add_attention.h sums.
//
// k^T v has whole numbers of more than 8 bits. They are cut into digits -128 .. 127 of base 256,
// two up to 257 tokens, else three, and q meets each digit's matrix apart.
#pragma once

#include "core/cpu/simd/int8_gemm.h"
#include "core/cpu/simd/linear_angular.h"
#include "core/cpu/simd/signs.h"

namespace shiftadd {
namespace {

constexpr int kMostDigits = 3;
// Digits of whole numbers up to `largest` in magnitude.
constexpr int digits_for(int64_t largest) { return largest + 128 < 1 << 15 ? 2 : kMostDigits; }

constexpr int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// The lowest n of 64 bits, 0 <= n.
SHIFTADD_INLINE uint64_t first_bits(int64_t n) {
  return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
}

/// 64 signs of codes: -1 where the bit of `negative` is set, else 1; 0 outside of `within`.
SHIFTADD_INLINE void store_signs(uint64_t negative, uint64_t within, int8_t* out) {
#if defined(__AVX512F__)
  const __m512i ones = _mm512_maskz_set1_epi8(within, 1);
  _mm512_storeu_si512(out,
                      _mm512_mask_sub_epi8(ones, negative & within, _mm512_setzero_si512(), ones));
#elif defined(__AVX2__)
  for (int half = 0; half < 64; half += 32) {
    const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
    const __m256i byte =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const auto spread = [&](uint64_t bits) __attribute__((always_inline)) {  // -1 where set
      const __m256i bytes =
          _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits >> half)), byte);
      return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
    };
    // -1 & valid, or -(-1) & valid.
    const __m256i inside = spread(within), minus = spread(negative & within);
    const __m256i plus = _mm256_andnot_si256(minus, inside);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + half), _mm256_sub_epi8(minus, plus));
  }
#else
  const auto spread = [](uint64_t bits) {  // bit i of eight becomes byte i, 1 or 0
    const uint64_t copies = (bits & 255) * 0x0101010101010101 & 0x8040201008040201;
    return (copies + 0x7f7f7f7f7f7f7f7f) >> 7 & 0x0101010101010101;
  };
  for (int i = 0; i < 64; i += 8) {
    const uint64_t inside = spread(within >> i), minus = spread((negative & within) >> i);
    const uint64_t eight = inside | minus * 255;
    __builtin_memcpy(out + i, &eight, sizeof eight);
  }
#endif
}

/// Word w (of 64 signs) of a row of d numbers; bits beyond d are 0.
SHIFTADD_INLINE uint64_t signs_of(const float* x, int64_t d, int64_t w) {
  uint32_t words[2] = {};
  const int64_t left = d - w * 64;
  pack_signs(x + w * 64, left < 64 ? left : 64, words);
  return words[0] | static_cast<uint64_t>(words[1]) << 32;
}

/// 64 codes: signs, or levels b0 + 2 b1, told by where b1, the sign, and b0 are -1.
struct Codes64 {
  uint64_t negative = 0, low = 0;

  /// The sum of those of the first `count` of 64.
  int32_t sum(bool levels, int64_t count) const {
    const auto within = static_cast<int32_t>(count);
    const int32_t signs = within - 2 * __builtin_popcountll(negative);
    return levels ? 2 * signs + within - 2 * __builtin_popcountll(low) : signs;
  }
};

/// Word w of a row of d numbers.
SHIFTADD_INLINE Codes64 codes_of(bool levels, const float* x, int64_t d, int64_t w) {
  Codes64 codes = {signs_of(x, d, w)};
  if (levels) {
    uint32_t words[2] = {};
    const int64_t left = d - w * 64;
    pack_low_bits(x + w * 64, left < 64 ? left : 64, words);
    codes.low = words[0] | static_cast<uint64_t>(words[1]) << 32;
  }
  return codes;
}

/// As int8; 0 outside of `within`.
SHIFTADD_INLINE void store_codes(bool levels, const Codes64& codes, uint64_t within, int8_t* out) {
  store_signs(codes.negative, within, out);
  if (!levels) return;
  alignas(64) int8_t low[64];
  store_signs(codes.low, within, low);
  for (int i = 0; i < 64; ++i) out[i] = static_cast<int8_t>(2 * out[i] + low[i]);
}

// 64 words of 64 bits, transposed: bit j of word i and bit i of word j change places (Hacker's
// Delight, 7-3).
inline void transpose_bits(uint64_t* words) {
  uint64_t mask = 0x00000000ffffffff;
  for (int step = 32; step; step /= 2, mask ^= mask << step)
    for (int i = 0; i < 64; i = (i + step + 1) & ~step) {
      const uint64_t change = (words[i] >> step ^ words[i + step]) & mask;
      words[i] ^= change << step;
      words[i + step] ^= change;
    }
}

// Four rows of whole numbers, each plus `offset`, as bytes side by side: what four inputs of a
// panel of kDotPanel outputs are. load_row(i, c): numbers c, c + 1, .. of row i.
template <class Load>
SHIFTADD_INLINE void store_bytes(int32_t offset, uint8_t* out, Load load_row) {
  for (int c = 0; c < kDotPanel; c += kWidth) {
    Ints bytes = set1i(0);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) bytes |= ((load_row(i, c) + offset) & 255) << (8 * i);
    store(reinterpret_cast<int32_t*>(out + 4 * c), bytes);
  }
}

// Values of n tokens, whole numbers with leading dimension ld, as panels of ld outputs. Tokens
// beyond the last repeat it: they meet zeros.
SHIFTADD_INLINE void pack_values(const float* values, int64_t n, int64_t ld, int64_t panel,
                                 uint8_t* panels) {
  for (int64_t t = 0; t < n; t += 4)
    for (int64_t c = 0; c < ld; c += kDotPanel)
      store_bytes(
          kDotOffset, panels + c / kDotPanel * panel + t * kDotPanel,
          [&](int i, int lane) __attribute__((always_inline)) {
            return to_ints(load(values + lesser(t + i, n - 1) * ld + c + lane));
          });
}

// One head: its sizes, and its operands in this thread's scratch memory.
struct DotHead {
  DotHead(const AttentionShape& of, int64_t task, bool two_bits = false)
      : shape(of),
        at(of, task),
        levels(two_bits),
        code_dim(shape.code_dim),
        d(shape.head_dim),
        n(shape.keys),
        ld(line_padded(d)),
        groups_n(dot_groups(n)),
        groups_c(dot_groups(code_dim)),
        wide(round_up(d, kDotBlock)),
        digit_bytes(dot_bytes(d, code_dim)),
        line_n((groups_n + 1) * kDotGroup),
        line_c((groups_c + 1) * kDotGroup) {
    // In bytes.
    const int64_t of_values = n * ld * 4, of_v_panels = dot_bytes(d, n);
    const int64_t of_k_rows = groups_c * kDotGroup * line_n;
    const int64_t of_kv = groups_c * kDotGroup * wide * 4;
    const int64_t of_digits = kMostDigits * digit_bytes;
    const int64_t of_q_rows = kDotBlock * line_c, of_m = kDotBlock * wide * 4;
    values =
        scratch(Scratch::kAttention,
                (of_values + of_v_panels + of_k_rows + of_kv + of_digits + of_q_rows + of_m) / 4);
    v_panels = reinterpret_cast<uint8_t*>(values) + of_values;
    k_rows = reinterpret_cast<int8_t*>(v_panels + of_v_panels);
    kv = reinterpret_cast<int32_t*>(k_rows + of_k_rows);
    digits = reinterpret_cast<uint8_t*>(kv) + of_kv;
    q_rows = reinterpret_cast<int8_t*>(digits + of_digits);
    m = reinterpret_cast<float*>(q_rows + of_q_rows);
  }

  const AttentionShape& shape;
  const HeadAt at;
  const bool levels;                 // two bits a code
  const int64_t code_dim, d, n;      // channels of k and of v; keys
  const int64_t ld;                  // floats between two rows of values
  const int64_t groups_n, groups_c;  // of kDotGroup keys, and channels of k
  const int64_t wide;                // floats between two rows of kv and m
  const int64_t digit_bytes;         // of one digit of kv
  const int64_t line_n, line_c;      // bytes between two rows of k_rows and q_rows
  float* values;
  uint8_t *v_panels, *digits;
  int8_t *k_rows, *q_rows;
  int32_t* kv;
  float* m;
};

// Codes of the 64 channels from c on, a row for each, and their sums over the keys.
SHIFTADD_INLINE void code_channels(const DotHead& head, const float* keys, int64_t c,
                                   int32_t* totals) {
  __builtin_memset(totals, 0, 64 * sizeof *totals);
  for (int64_t t = 0; t < head.n; t += 64) {
    uint64_t negative[64], low[64] = {};
    const int tokens = static_cast<int>(lesser(head.n - t, 64));
    for (int i = 0; i < 64; ++i) {
      const Codes64 codes = i < tokens ? codes_of(head.levels, keys + (t + i) * head.shape.k_row,
                                                  head.code_dim, c / 64)
                                       : Codes64();
      negative[i] = codes.negative;
      low[i] = codes.low;
    }
    transpose_bits(negative);
    if (head.levels) transpose_bits(low);
    for (int i = 0; i < 64; ++i) {
      const Codes64 channel = {negative[i], low[i]};
      totals[i] += channel.sum(head.levels, tokens);
      store_codes(head.levels, channel, first_bits(tokens),
                  head.k_rows + (c + i) * head.line_n + t);
    }
  }
}

// kv[channel] = sum over the keys of its codes and v.
template <class Unit>
SHIFTADD_INLINE void multiply_keys(const DotHead& head, const float* keys) {
  const int64_t wide = head.wide, tall = round_up(head.code_dim, kDotBlock);
  const int64_t panel = head.groups_n * kDotPanel * kDotGroup;
  int32_t* kv = head.kv;
  alignas(64) int32_t sum[kDotBlock * kDotBlock];
  int32_t totals[64], offsets[kDotBlock];
  for (int64_t c = 0; c < head.groups_c * kDotGroup; c += kDotBlock) {
    if (c % 64 == 0) code_channels(head, keys, c, totals);
    if (c >= tall) {  // channels that do not exist: of no weight, but of some value
      __builtin_memset(kv + c * wide, 0, static_cast<size_t>(kDotBlock * wide * 4));
      continue;
    }
    const int8_t* rows = head.k_rows + c * head.line_n;
    for (int r = 0; r < kDotBlock; ++r)
      offsets[r] = Unit::kOffset ? kDotOffset * totals[c % 64 + r] : 0;
    for (int64_t j = 0; j < wide; j += kDotBlock) {
      Unit::multiply(head.groups_n, kDotBlock, {rows, head.line_n},
                     head.v_panels + j / kDotPanel * panel, sum);
      for (int r = 0; r < kDotBlock; ++r)
        for (int lane = 0; lane < kDotBlock; lane += kWidth) {
          store(kv + (c + r) * wide + j + lane, load_ints(sum + r * kDotBlock + lane) - offsets[r]);
        }
    }
  }
}

// Digits of kv, least first: the byte of x + 128, then what is above it.
SHIFTADD_INLINE void pack_digits(const DotHead& head, int count) {
  const int64_t wide = head.wide, panel = head.groups_c * kDotPanel * kDotGroup;
  const int32_t* kv = head.kv;
  for (int64_t c = 0; c < head.groups_c * kDotGroup; c += 4)
    for (int64_t j = 0; j < wide; j += kDotPanel)
      for (int digit = 0; digit < count; ++digit)
        store_bytes(
            kDotOffset,
            head.digits + digit * head.digit_bytes + j / kDotPanel * panel + c * kDotPanel,
            [&](int i, int lane) __attribute__((always_inline)) {
              Ints x = load_ints(kv + (c + i) * wide + j + lane);
              for (int below = 0; below < digit; ++below) x = (x + 128) >> 8;
              return x;
            });
}

// m = the codes of a block of queries times kv; `queries`: the first of so many.
template <class Unit>
SHIFTADD_INLINE void multiply_queries(const DotHead& head, const float* queries, int tokens,
                                      int count) {
  const int64_t wide = head.wide, panel = head.groups_c * kDotPanel * kDotGroup;
  float* m = head.m;
  alignas(64) int32_t sum[kDotBlock * kDotBlock];
  int32_t offsets[kDotBlock];
  for (int r = 0; r < kDotBlock; ++r) {
    int32_t total = 0;
    for (int64_t w = 0; w < head.groups_c; ++w) {
      const Codes64 codes = codes_of(head.levels, queries + (r < tokens ? r : 0) * head.shape.q_row,
                                     head.code_dim, w);
      const int64_t left = lesser(head.code_dim - w * 64, 64);
      total += codes.sum(head.levels, left);
      store_codes(head.levels, codes, first_bits(left), head.q_rows + r * head.line_c + w * 64);
    }
    offsets[r] = Unit::kOffset ? kDotOffset * total : 0;
  }
  for (int64_t j = 0; j < head.ld; j += kDotBlock)
    for (int digit = count - 1; digit >= 0; --digit) {
      Unit::multiply(head.groups_c, tokens, {head.q_rows, head.line_c},
                     head.digits + digit * head.digit_bytes + j / kDotPanel * panel, sum);
      for (int r = 0; r < tokens; ++r)
        for (int lane = 0; lane < kDotBlock; lane += kWidth) {
          Ints x = load_ints(sum + r * kDotBlock + lane) - offsets[r];
          float* to = m + r * wide + j + lane;  // sums, until the last digit makes them numbers
          if (digit < count - 1) x += bits_of(load(to)) << 8;
          store(to, digit == 0 ? to_floats(x) : from_bits(x));
        }
    }
}

template <class Unit>
void dot_attention_head(const LinearAngularArgs<float>& args, int64_t task) {
  const DotHead head(args.shape, task);
  const AttentionShape& s = args.shape;
  [[maybe_unused]] const Unit unit;
  const float scale =
      take_values(args.value, args.v + head.at.v, s.v_row, head.n, head.d, head.values, head.ld);
  pack_values(head.values, head.n, head.ld, head.groups_n * kDotPanel * kDotGroup, head.v_panels);
  multiply_keys<Unit>(head, args.k + head.at.k);
  const int count = digits_for(127 * head.n);
  pack_digits(head, count);
  const float factor = product_factor(Codes::kSign, head.code_dim);
  for (int64_t first = 0; first < s.queries; first += kDotBlock) {
    const int tokens = static_cast<int>(lesser(s.queries - first, kDotBlock));
    multiply_queries<Unit>(head, args.q + head.at.q + first * s.q_row, tokens, count);
    for (int r = 0; r < tokens; ++r)
      finish_row(args, head.at.head, first + r, head.values, head.ld, scale, factor,
                 head.m + r * head.wide, args.out + head.at.o + (first + r) * s.o_row);
  }
}

template <class Unit>
void dot_attention_kernel(const LinearAngularArgs<float>& args) {
  parallel_for(args.shape.batch * args.shape.heads,
               [&](int64_t task) { dot_attention_head<Unit>(args, task); });
}

}  // namespace
}  // namespace shiftadd
