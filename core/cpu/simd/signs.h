// Packed signs: one bit for each number of a row, set where it is negative.
#pragma once

#include "core/cpu/simd/vec.h"
#include "core/kernels/attention.h"

namespace shiftadd {
namespace {

#if defined(__AVX512F__)

/// Bit i is set where lane i of x is below 0.
SHIFTADD_INLINE uint32_t negative_bits(Vec x) { return _mm512_cmp_ps_mask(x, zero(), _CMP_LT_OQ); }
SHIFTADD_INLINE VecI load_words(const uint32_t* p) { return _mm512_loadu_si512(p); }
SHIFTADD_INLINE VecI set1_word(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
/// Bit i is bit `bit` of lane i.
SHIFTADD_INLINE uint32_t take_bit(VecI words, int bit) {
  return _mm512_test_epi32_mask(words, set1_word(1u << bit));
}
/// All ones in lane i where bit i is set, else 0.
SHIFTADD_INLINE VecI spread_bits(uint32_t bits) {
  return _mm512_movm_epi32(static_cast<__mmask16>(bits));
}
SHIFTADD_INLINE VecI bit_and(VecI a, VecI b) { return _mm512_and_si512(a, b); }
SHIFTADD_INLINE VecI bit_xor(VecI a, VecI b) { return _mm512_xor_si512(a, b); }
SHIFTADD_INLINE VecI add_words(VecI a, VecI b) { return _mm512_add_epi32(a, b); }
SHIFTADD_INLINE VecI subtract_words(VecI a, VecI b) { return _mm512_sub_epi32(a, b); }
SHIFTADD_INLINE VecI shift_right(VecI a, int n) {
  return _mm512_srli_epi32(a, static_cast<unsigned>(n));
}
SHIFTADD_INLINE VecI look_up(__m128i table, VecI index) {
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), index);
}
SHIFTADD_INLINE Vec to_floats(VecI a) { return _mm512_cvtepi32_ps(a); }
SHIFTADD_INLINE VecI to_words(Vec a) { return _mm512_cvtps_epi32(a); }
SHIFTADD_INLINE VecI as_words(Vec a) { return _mm512_castps_si512(a); }
SHIFTADD_INLINE Vec as_floats(VecI a) { return _mm512_castsi512_ps(a); }

#elif defined(__AVX2__)

SHIFTADD_INLINE uint32_t negative_bits(Vec x) {
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x, zero(), _CMP_LT_OQ)));
}
SHIFTADD_INLINE VecI load_words(const uint32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
SHIFTADD_INLINE VecI set1_word(uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
SHIFTADD_INLINE uint32_t take_bit(VecI words, int bit) {
  const VecI top = _mm256_sll_epi32(words, _mm_cvtsi32_si128(31 - bit));
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(top)));
}
SHIFTADD_INLINE VecI spread_bits(uint32_t bits) {
  const VecI one = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_cmpeq_epi32(_mm256_and_si256(set1_word(bits), one), one);
}
SHIFTADD_INLINE VecI bit_and(VecI a, VecI b) { return _mm256_and_si256(a, b); }
SHIFTADD_INLINE VecI bit_xor(VecI a, VecI b) { return _mm256_xor_si256(a, b); }
SHIFTADD_INLINE VecI add_words(VecI a, VecI b) { return _mm256_add_epi32(a, b); }
SHIFTADD_INLINE VecI subtract_words(VecI a, VecI b) { return _mm256_sub_epi32(a, b); }
SHIFTADD_INLINE VecI shift_right(VecI a, int n) { return _mm256_srli_epi32(a, n); }
SHIFTADD_INLINE VecI look_up(__m128i table, VecI index) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index);
}
SHIFTADD_INLINE Vec to_floats(VecI a) { return _mm256_cvtepi32_ps(a); }
SHIFTADD_INLINE VecI to_words(Vec a) { return _mm256_cvtps_epi32(a); }
SHIFTADD_INLINE VecI as_words(Vec a) { return _mm256_castps_si256(a); }
SHIFTADD_INLINE Vec as_floats(VecI a) { return _mm256_castsi256_ps(a); }

#else

constexpr VecI kLaneBits = {1, 2, 4, 8};
// Lanes of `mask`, all ones or 0, as bits.
SHIFTADD_INLINE uint32_t lane_bits(VecI mask) {
  const VecI bits = mask & kLaneBits;
  return (bits[0] | bits[2]) | (bits[1] | bits[3]);
}
SHIFTADD_INLINE uint32_t negative_bits(Vec x) { return lane_bits((VecI)(x < zero())); }
SHIFTADD_INLINE VecI load_words(const uint32_t* p) {
  VecI x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
SHIFTADD_INLINE VecI set1_word(uint32_t x) { return VecI{x, x, x, x}; }
SHIFTADD_INLINE uint32_t take_bit(VecI words, int bit) { return lane_bits(-(words >> bit & 1)); }
SHIFTADD_INLINE VecI spread_bits(uint32_t bits) {
  return (VecI)((set1_word(bits) & kLaneBits) == kLaneBits);
}
SHIFTADD_INLINE VecI bit_and(VecI a, VecI b) { return a & b; }
SHIFTADD_INLINE VecI bit_xor(VecI a, VecI b) { return a ^ b; }
SHIFTADD_INLINE VecI add_words(VecI a, VecI b) { return a + b; }
SHIFTADD_INLINE VecI subtract_words(VecI a, VecI b) { return a - b; }
SHIFTADD_INLINE VecI shift_right(VecI a, int n) { return a >> n; }
SHIFTADD_INLINE Vec to_floats(VecI a) {
  return __builtin_convertvector((int32_t __attribute__((vector_size(16))))a, Vec);
}
SHIFTADD_INLINE VecI to_words(Vec a) {  // |a| < 2^22
  return (VecI)(a + set1(12582912.f)) - 0x4b400000u;
}
SHIFTADD_INLINE VecI as_words(Vec a) { return (VecI)a; }
SHIFTADD_INLINE Vec as_floats(VecI a) { return (Vec)a; }

#endif

/// Numbers whose signs fill one word.
constexpr int64_t kSignsOfWord = 32;
constexpr int64_t sign_words(int64_t n) { return (n + kSignsOfWord - 1) / kSignsOfWord; }

/// The lowest n of 32 bits.
SHIFTADD_INLINE uint32_t low_bits(int64_t n) { return n >= kSignsOfWord ? ~0u : (1u << n) - 1; }

/// Signs of n numbers, sign_words(n) words; bits beyond n are 0.
SHIFTADD_INLINE void pack_signs(const float* x, int64_t n, uint32_t* words) {
  for (int64_t w = 0; w < n; w += kSignsOfWord) {
    uint32_t bits = 0;
    const int64_t end = n - w < kSignsOfWord ? n : w + kSignsOfWord;
    for_vectors(
        w, end, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          bits |= negative_bits(load(x + j, lanes)) << (j - w);
        });
    *words++ = bits;
  }
}

/// Where b0 of the level b0 + 2 b1 of each number is -1, as packed signs; b1 is its sign.
SHIFTADD_INLINE void pack_low_bits(const float* x, int64_t n, uint32_t* words) {
  for (int64_t w = 0; w < n; w += kSignsOfWord) {
    uint32_t bits = 0;
    const int64_t end = n - w < kSignsOfWord ? n : w + kSignsOfWord;
    for_vectors(
        w, end, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
          const Vec value = load(x + j, lanes), step = set1(kBipolarStep);
          bits |= negative_bits(select_less(value, zero(), value + step, value - step)) << (j - w);
        });
    *words++ = bits & low_bits(end - w);
  }
}

}  // namespace
}  // namespace shiftadd
