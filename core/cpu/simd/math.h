// exp and gelu on vectors, in float.
#pragma once

#include "core/cpu/simd/vec.h"

namespace shiftadd {
namespace {

// c[0] + c[1] x + ... by Horner's rule.
template <int N>
SHIFTADD_INLINE Vec polynomial(const float (&c)[N], Vec x) {
  Vec y = set1(c[N - 1]);
#pragma GCC unroll 16
  for (int i = N - 2; i >= 0; --i) y = fma(y, x, set1(c[i]));
  return y;
}

/// e^x to about 1 ulp for x <= 88, which larger ones are taken for; 0 below -87.3 (where results
/// would be denormal); NaN stays.
SHIFTADD_INLINE Vec exp(Vec x) {
  // Constants first: min and max return their second operand when one is NaN.
  const Vec bounded = max(set1(-87.3f), min(set1(88.f), x));
  const Vec n = round(bounded * set1(1.44269504f));
  // r = x - n ln 2, ln 2 in two parts (Cody and Waite): the first has 9 bits, so n times it is
  // exact.
  const Vec r = fnma(n, set1(-2.12194440e-4f), fnma(n, set1(0.693359375f), bounded));
  // e^r = 1 + r + r^2 q(r) on |r| <= ln 2 / 2; q by Remez exchange, error of e^r 5.4e-11.
  static constexpr float q[] = {0.5000000081f,   0.1666666687f,   0.04166625883f,
                                0.008333261951f, 0.001394694806f, 0.0001991975474f};
  const Vec y = fma(polynomial(q, r), r * r, r) + set1(1.f);
  return select_less(x, set1(-87.3f), zero(), y * power_of_two(n));
}

// x P(x^2 / 12.5 - 1), |x| <= 5: an odd function by a polynomial in a variable that stays within
// [-1, 1], where Horner's rule loses nothing to cancellation.
template <int N>
SHIFTADD_INLINE Vec odd_polynomial(const float (&c)[N], Vec x) {
  const Vec bounded = max(set1(-5.f), min(set1(5.f), x));
  return bounded * polynomial(c, fma(bounded * bounded, set1(0.08f), set1(-1.f)));
}

// Beyond 5.2 the tails are below 5.2 * 1e-7.
constexpr float kGeluEnd = -5.2f;

/// x Phi(x), Phi the normal distribution function; Phi - 1/2 by Remez exchange, error of
/// Phi 2.1e-7.
SHIFTADD_INLINE Vec gelu(Vec x) {
  static constexpr float c[] = {
      0.1413637881f,   -0.07029626338f,  0.05152046741f,  -0.04044304163f, 0.03144304984f,
      -0.02326566754f, 0.01639727172f,   -0.01117253082f, 0.006422456827f, -0.002675917223f,
      0.001709753154f, -0.001617344477f, 0.0006139525281f};
  return select_less(x, set1(kGeluEnd), zero(), x * (set1(0.5f) + odd_polynomial(c, x)));
}

/// d gelu / dx = Phi(x) + x phi(x), minus 1/2 again odd; error 2.4e-7, beyond |x| = 5 up to 7.3e-6.
SHIFTADD_INLINE Vec gelu_derivative(Vec x) {
  static constexpr float c[] = {0.142133958f,   -0.07511073093f,  0.06655971685f, -0.07174175362f,
                                0.08043997052f, -0.08486107411f,  0.08001777398f, -0.06634854437f,
                                0.05103659015f, -0.03755521822f,  0.02135137307f, -0.007779493275f,
                                0.00535582222f, -0.005544387521f, 0.002047452441f};
  return select_less(x, set1(kGeluEnd), zero(), set1(0.5f) + odd_polynomial(c, x));
}

}  // namespace
}  // namespace shiftadd
