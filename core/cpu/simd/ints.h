// The integer half of the SIMD vocabulary: 32-bit lanes beside those of Vec, and int8 in memory.
#pragma once

#include "core/cpu/simd/vec.h"

namespace shiftadd {
namespace {

/// kWidth lanes; + - & | ^ and shifts by a constant work as operators, a comparison gives -1 or 0.
using Ints = int32_t __attribute__((vector_size(4 * kWidth)));

SHIFTADD_INLINE Ints bits_of(Vec x) { return (Ints)x; }
SHIFTADD_INLINE Vec from_bits(Ints x) { return (Vec)x; }
/// mask (lanes of -1 or 0) ? a : b
SHIFTADD_INLINE Ints choose(Ints mask, Ints a, Ints b) { return (mask & a) | (~mask & b); }

#if defined(__AVX512F__)

SHIFTADD_INLINE Ints set1i(int32_t x) { return (Ints)_mm512_set1_epi32(x); }
SHIFTADD_INLINE Ints to_ints(Vec x) { return (Ints)_mm512_cvtps_epi32(x); }
SHIFTADD_INLINE Vec to_floats(Ints x) { return _mm512_cvtepi32_ps((VecI)x); }
SHIFTADD_INLINE Ints max(Ints a, Ints b) { return (Ints)_mm512_max_epi32((VecI)a, (VecI)b); }
SHIFTADD_INLINE Ints min(Ints a, Ints b) { return (Ints)_mm512_min_epi32((VecI)a, (VecI)b); }
/// x 2^n lane by lane; 0 where n is outside 0 .. 31.
SHIFTADD_INLINE Ints shift_left(Ints x, Ints n) {
  return (Ints)_mm512_sllv_epi32((VecI)x, (VecI)n);
}
SHIFTADD_INLINE void store(int32_t* p, Ints x) { _mm512_storeu_si512(p, (VecI)x); }
SHIFTADD_INLINE Ints load_int8(const int8_t* p, Full) {
  return (Ints)_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
SHIFTADD_INLINE Ints load_int8(const int8_t* p, int n) {
  return (Ints)_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(first_lanes(n), p));
}
/// Saturates.
SHIFTADD_INLINE void store_int8(int8_t* p, Ints x, Full) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8((VecI)x));
}
SHIFTADD_INLINE void store_int8(int8_t* p, Ints x, int n) {
  _mm_mask_storeu_epi8(p, first_lanes(n), _mm512_cvtsepi32_epi8((VecI)x));
}

#elif defined(__AVX2__)

SHIFTADD_INLINE Ints set1i(int32_t x) { return (Ints)_mm256_set1_epi32(x); }
SHIFTADD_INLINE Ints to_ints(Vec x) { return (Ints)_mm256_cvtps_epi32(x); }
SHIFTADD_INLINE Vec to_floats(Ints x) { return _mm256_cvtepi32_ps((VecI)x); }
SHIFTADD_INLINE Ints max(Ints a, Ints b) { return (Ints)_mm256_max_epi32((VecI)a, (VecI)b); }
SHIFTADD_INLINE Ints min(Ints a, Ints b) { return (Ints)_mm256_min_epi32((VecI)a, (VecI)b); }
SHIFTADD_INLINE Ints shift_left(Ints x, Ints n) {
  return (Ints)_mm256_sllv_epi32((VecI)x, (VecI)n);
}
SHIFTADD_INLINE void store(int32_t* p, Ints x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (VecI)x);
}
SHIFTADD_INLINE Ints load_int8(const int8_t* p, Full) {
  return (Ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
SHIFTADD_INLINE Ints load_int8(const int8_t* p, int n) {
  int8_t lanes[kWidth] = {};
  for (int i = 0; i < n; ++i) lanes[i] = p[i];
  return load_int8(lanes, Full{});
}
SHIFTADD_INLINE void store_int8(int8_t* p, Ints x, Full) {
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128((VecI)x), _mm256_extracti128_si256((VecI)x, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}
SHIFTADD_INLINE void store_int8(int8_t* p, Ints x, int n) {
  int8_t lanes[kWidth];
  store_int8(lanes, x, Full{});
  for (int i = 0; i < n; ++i) p[i] = lanes[i];
}

#else

SHIFTADD_INLINE Ints set1i(int32_t x) { return Ints{x, x, x, x}; }
// |x| < 2^22: adding 1.5 2^23 rounds to a whole number in the low bits. Anything for others and
// NaN.
SHIFTADD_INLINE Ints to_ints(Vec x) { return (Ints)((VecI)(x + set1(12582912.f)) - 0x4b400000u); }
SHIFTADD_INLINE Vec to_floats(Ints x) { return __builtin_convertvector(x, Vec); }
SHIFTADD_INLINE Ints max(Ints a, Ints b) { return a > b ? a : b; }
SHIFTADD_INLINE Ints min(Ints a, Ints b) { return a < b ? a : b; }
SHIFTADD_INLINE Ints shift_left(Ints x, Ints n) { return (x << (n & 31)) & ((n & ~31) == 0); }
SHIFTADD_INLINE void store(int32_t* p, Ints x) { __builtin_memcpy(p, &x, sizeof x); }
SHIFTADD_INLINE Ints load_int8(const int8_t* p, Full) { return Ints{p[0], p[1], p[2], p[3]}; }
SHIFTADD_INLINE Ints load_int8(const int8_t* p, int n) {
  return Ints{n > 0 ? p[0] : 0, n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, n > 3 ? p[3] : 0};
}
SHIFTADD_INLINE void store_int8(int8_t* p, Ints x, int n) {
  const Ints bounded = max(set1i(-128), min(set1i(127), x));
  for (int i = 0; i < n; ++i) p[i] = static_cast<int8_t>(bounded[i]);
}
SHIFTADD_INLINE void store_int8(int8_t* p, Ints x, Full) { store_int8(p, x, kWidth); }

#endif

SHIFTADD_INLINE Ints load_ints(const int32_t* p) {
  Ints x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

SHIFTADD_INLINE int32_t max_lanes(Ints x) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_epi32((VecI)x);
#elif defined(__AVX2__)
  __m128i half =
      _mm_max_epi32(_mm256_castsi256_si128((VecI)x), _mm256_extracti128_si256((VecI)x, 1));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
#else
  int32_t largest = x[0];
  for (int i = 1; i < kWidth; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
#endif
}

}  // namespace
}  // namespace shiftadd
