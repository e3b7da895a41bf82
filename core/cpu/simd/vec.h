// One SIMD vocabulary for AVX2, AVX-512 and, by the compiler's own vectors of four lanes, any other
// CPU (SSE2, NEON): included by files of the folders of one instruction set only.
//
// Everything in core/cpu/simd has internal linkage, on purpose: each includer compiles its own copy
// for its own instruction set, and the linker must never pick one for the other. For the same
// reason these headers call no function template of the standard library.
#pragma once

// g++ 12 takes _mm512_undefined_ps() for an uninitialised variable (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstdint>

#define SHIFTADD_INLINE inline __attribute__((always_inline))

namespace shiftadd {
namespace {

#if defined(__AVX512F__)

using Vec = __m512;  // + - * / work as operators
using VecI = __m512i;
constexpr int kWidth = 16;

SHIFTADD_INLINE Vec set1(float x) { return _mm512_set1_ps(x); }
SHIFTADD_INLINE Vec load(const float* p) { return _mm512_loadu_ps(p); }
SHIFTADD_INLINE void store(float* p, Vec x) { _mm512_storeu_ps(p, x); }
SHIFTADD_INLINE __mmask16 first_lanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }
/// The first n lanes, 0 <= n <= kWidth; the others read as 0 and are not touched in memory.
SHIFTADD_INLINE Vec load(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
SHIFTADD_INLINE void store(float* p, Vec x, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), x); }
SHIFTADD_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }    // a b + c
SHIFTADD_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a b
SHIFTADD_INLINE Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
SHIFTADD_INLINE Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
SHIFTADD_INLINE Vec abs(Vec a) { return _mm512_abs_ps(a); }
SHIFTADD_INLINE Vec sqrt(Vec a) { return _mm512_sqrt_ps(a); }
SHIFTADD_INLINE Vec round(Vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// a with the sign of b; a >= 0.
SHIFTADD_INLINE Vec with_sign(Vec a, Vec b) {
  return _mm512_or_ps(a, _mm512_and_ps(b, set1(-0.f)));
}
/// 2^n for an integral n in [-126, 127].
SHIFTADD_INLINE Vec power_of_two(Vec n) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}
/// a < b ? x : y
SHIFTADD_INLINE Vec select_less(Vec a, Vec b, Vec x, Vec y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
SHIFTADD_INLINE Vec keep_first(Vec x, int n, Vec other) {
  return _mm512_mask_blend_ps(first_lanes(n), other, x);
}
SHIFTADD_INLINE __m256 low_half(Vec x) { return _mm512_castps512_ps256(x); }
SHIFTADD_INLINE __m256 high_half(Vec x) { return _mm512_extractf32x8_ps(x, 1); }

#elif defined(__AVX2__)

using Vec = __m256;
using VecI = __m256i;
constexpr int kWidth = 8;

alignas(64) constexpr int32_t kLaneMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
SHIFTADD_INLINE Vec set1(float x) { return _mm256_set1_ps(x); }
SHIFTADD_INLINE Vec load(const float* p) { return _mm256_loadu_ps(p); }
SHIFTADD_INLINE void store(float* p, Vec x) { _mm256_storeu_ps(p, x); }
SHIFTADD_INLINE __m256i first_lanes(int n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLaneMask + 8 - n));
}
SHIFTADD_INLINE Vec load(const float* p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
SHIFTADD_INLINE void store(float* p, Vec x, int n) { _mm256_maskstore_ps(p, first_lanes(n), x); }
SHIFTADD_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
SHIFTADD_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a, b, c); }
SHIFTADD_INLINE Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
SHIFTADD_INLINE Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
SHIFTADD_INLINE Vec abs(Vec a) { return _mm256_andnot_ps(set1(-0.f), a); }
SHIFTADD_INLINE Vec sqrt(Vec a) { return _mm256_sqrt_ps(a); }
SHIFTADD_INLINE Vec round(Vec a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
SHIFTADD_INLINE Vec with_sign(Vec a, Vec b) {
  return _mm256_or_ps(a, _mm256_and_ps(b, set1(-0.f)));
}
SHIFTADD_INLINE Vec power_of_two(Vec n) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
SHIFTADD_INLINE Vec select_less(Vec a, Vec b, Vec x, Vec y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
SHIFTADD_INLINE Vec keep_first(Vec x, int n, Vec other) {
  return _mm256_blendv_ps(other, x, _mm256_castsi256_ps(first_lanes(n)));
}

#else

using Vec = float __attribute__((vector_size(16)));
using VecI = uint32_t __attribute__((vector_size(16)));
constexpr int kWidth = 4;

SHIFTADD_INLINE Vec set1(float x) { return Vec{x, x, x, x}; }
SHIFTADD_INLINE Vec load(const float* p) {
  Vec x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
SHIFTADD_INLINE void store(float* p, Vec x) { __builtin_memcpy(p, &x, sizeof x); }
SHIFTADD_INLINE Vec load(const float* p, int n) {
  if (n == kWidth) return load(p);
  return Vec{n > 0 ? p[0] : 0, n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};
}
SHIFTADD_INLINE void store(float* p, Vec x, int n) {
  if (n == kWidth) return store(p, x);
  if (n > 0) p[0] = x[0];
  if (n > 1) p[1] = x[1];
  if (n > 2) p[2] = x[2];
}
#if defined(__FP_FAST_FMAF)
SHIFTADD_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return Vec{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]),
             __builtin_fmaf(a[2], b[2], c[2]), __builtin_fmaf(a[3], b[3], c[3])};
}
#else
using Doubles = double __attribute__((vector_size(16)));
SHIFTADD_INLINE Doubles low_doubles(Vec x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 0, 1), Doubles);
}
SHIFTADD_INLINE Doubles high_doubles(Vec x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 2, 3), Doubles);
}
SHIFTADD_INLINE Vec floats_of(Doubles low, Doubles high) {
  using Floats = float __attribute__((vector_size(8)));
  return __builtin_shufflevector(__builtin_convertvector(low, Floats),
                                 __builtin_convertvector(high, Floats), 0, 1, 2, 3);
}
__attribute__((noinline, cold)) Vec fma_by_lane(Vec a, Vec b, Vec c) {
  for (int i = 0; i < kWidth; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
}
// Without an instruction. a b is exact in double, and a sum rounded to double, then to float, is
// rounded as if once (denormal floats aside), unless the double is half-way between two floats.
SHIFTADD_INLINE Vec fma(Vec a, Vec b, Vec c) {
  using Pair = uint64_t __attribute__((vector_size(16)));
  const Doubles low = low_doubles(a) * low_doubles(b) + low_doubles(c);
  const Doubles high = high_doubles(a) * high_doubles(b) + high_doubles(c);
  const VecI dropped = __builtin_shufflevector((VecI)low, (VecI)high, 0, 2, 4, 6) & 0x1fffffffu;
  const Pair halfway = (Pair)(dropped == 0x10000000u);
  if (__builtin_expect((halfway[0] | halfway[1]) != 0, 0)) return fma_by_lane(a, b, c);
  return floats_of(low, high);
}
#endif
SHIFTADD_INLINE Vec fnma(Vec a, Vec b, Vec c) { return fma(-a, b, c); }
SHIFTADD_INLINE Vec max(Vec a, Vec b) { return a > b ? a : b; }
SHIFTADD_INLINE Vec min(Vec a, Vec b) { return a < b ? a : b; }
SHIFTADD_INLINE Vec abs(Vec a) { return (Vec)((VecI)a & 0x7fffffffu); }
SHIFTADD_INLINE Vec sqrt(Vec a) {
  return Vec{__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]),
             __builtin_sqrtf(a[3])};
}
SHIFTADD_INLINE Vec with_sign(Vec a, Vec b) { return (Vec)((VecI)a | ((VecI)b & 0x80000000u)); }
SHIFTADD_INLINE Vec select_less(Vec a, Vec b, Vec x, Vec y) { return a < b ? x : y; }
// Adding 2^23 rounds half to even; from there on floats are whole numbers.
SHIFTADD_INLINE Vec round(Vec a) {
  const Vec size = abs(a), whole = set1(8388608.f);
  return select_less(size, whole, with_sign((size + whole) - whole, a), a);
}
// Adding 1.5 2^23 leaves a whole number, n + 127, in the low bits.
SHIFTADD_INLINE Vec power_of_two(Vec n) { return (Vec)((VecI)(n + set1(12583039.f)) << 23); }
SHIFTADD_INLINE Vec keep_first(Vec x, int n, Vec other) {
  return (VecI{0, 1, 2, 3} < static_cast<uint32_t>(n)) ? x : other;
}

#endif

// All lanes, where a count would select some: lets one body serve whole vectors and the tail.
struct Full {};
SHIFTADD_INLINE Vec load(const float* p, Full) { return load(p); }
SHIFTADD_INLINE void store(float* p, Vec x, Full) { store(p, x); }
SHIFTADD_INLINE Vec keep_first(Vec x, Full, Vec) { return x; }

/// body(i, lanes) for i = begin, begin + kWidth, ... below end; lanes is Full{} or, in the tail, an
/// int.
template <class Body>
SHIFTADD_INLINE void for_vectors(int64_t begin, int64_t end, Body body) {
  int64_t i = begin;
  for (; i + kWidth <= end; i += kWidth) body(i, Full{});
  if (i < end) body(i, static_cast<int>(end - i));
}

SHIFTADD_INLINE Vec zero() { return set1(0); }

#if defined(__AVX2__)

SHIFTADD_INLINE __m256 add8(__m256 a, __m256 b) { return a + b; }
SHIFTADD_INLINE __m256 max8(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }

// Folds the lanes in a fixed order: halves, quarters, pairs.
template <__m256 (*combine)(__m256, __m256)>
SHIFTADD_INLINE float fold(Vec x) {
#if defined(__AVX512F__)
  __m256 h = combine(low_half(x), high_half(x));
#else
  __m256 h = x;
#endif
  h = combine(h, _mm256_permute2f128_ps(h, h, 1));
  h = combine(h, _mm256_permute_ps(h, 0x4e));
  h = combine(h, _mm256_permute_ps(h, 0xb1));
  return _mm256_cvtss_f32(h);
}
SHIFTADD_INLINE float sum_lanes(Vec x) { return fold<add8>(x); }
SHIFTADD_INLINE float max_lanes(Vec x) { return fold<max8>(x); }

#else

SHIFTADD_INLINE float sum_lanes(Vec x) { return (x[0] + x[2]) + (x[1] + x[3]); }
SHIFTADD_INLINE float max_lanes(Vec x) {
  const float even = x[0] > x[2] ? x[0] : x[2], odd = x[1] > x[3] ? x[1] : x[3];
  return even > odd ? even : odd;
}

#endif

}  // namespace
}  // namespace shiftadd
