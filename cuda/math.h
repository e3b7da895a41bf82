// The numbers of one GPU thread in the words that core/vector_math.h is written in: exp, gelu and
// the others then have the CPU's bits.
#pragma once

#include "cuda/simt/simt.h"

#define SHIFTADD_INLINE __device__ __forceinline__

namespace shiftadd {
namespace {

using Vec = float;

// As the CPU's vector instructions have them: of a NaN and a number, the second.
SHIFTADD_INLINE float set1(float x) { return x; }
SHIFTADD_INLINE float zero() { return 0; }
SHIFTADD_INLINE float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
SHIFTADD_INLINE float fnma(float a, float b, float c) { return __fmaf_rn(-a, b, c); }
SHIFTADD_INLINE float max(float a, float b) { return a > b ? a : b; }
SHIFTADD_INLINE float min(float a, float b) { return a < b ? a : b; }
SHIFTADD_INLINE float abs(float a) { return fabsf(a); }
/// To a whole number, half to even.
SHIFTADD_INLINE float round(float a) { return rintf(a); }
/// a with the sign of b; a >= 0.
SHIFTADD_INLINE float with_sign(float a, float b) {
  return __int_as_float(__float_as_int(a) | (__float_as_int(b) & static_cast<int>(0x80000000)));
}
/// 2^n for a whole n in [-126, 127].
SHIFTADD_INLINE float power_of_two(float n) {
  return __int_as_float((__float2int_rn(n) + 127) << 23);
}
/// a < b ? x : y
SHIFTADD_INLINE float select_less(float a, float b, float x, float y) { return a < b ? x : y; }

}  // namespace
}  // namespace shiftadd

// After the vocabulary that it is written in.
#include "core/vector_math.h"

namespace shiftadd {
namespace {

/// The sum over a warp's lanes, each the sum of one of the CPU's 32 chains
/// (core/cpu/simd/row_ops.h), folded in the CPU's order; every lane gets it.
SHIFTADD_INLINE float sum_chains(float chain) {
#pragma unroll
  for (int step = 16; step; step /= 2) chain += __shfl_xor_sync(~0u, chain, step);
  return chain;
}

/// Sum over i < n of term(i), a warp's lane the chain of every 32nd.
template <class Term>
SHIFTADD_INLINE float sum_terms(int n, Term term) {
  float chain = 0;
  for (int i = static_cast<int>(threadIdx.x) & 31; i < n; i += 32) chain += term(i);
  return sum_chains(chain);
}

}  // namespace
}  // namespace shiftadd
