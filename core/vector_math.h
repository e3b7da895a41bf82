// exp, tanh, gelu and its kin in float, written once. What includes this brings Vec and its
// operations first: vectors of an instruction set (core/cpu/simd/math.h) or the number of one GPU
// thread (cuda/math.h). So all give the same bits.
#pragma once

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

/// tanh to about 2 ulp, of |x| = t: 1 - 2 / (e^2t + 1), or, below 5/8, where that would cancel,
/// t + t^3 P(t^2), P through Chebyshev nodes, error 1.6e-8 of the result.
SHIFTADD_INLINE Vec tanh(Vec x) {
  static constexpr float c[] = {-0.3333332894f, 0.1333276974f, -0.05385090958f, 0.02099717899f,
                                -0.00609671416f};
  const Vec size = abs(x), square = size * size;
  const Vec small = fma(polynomial(c, square) * square, size, size);
  const Vec large = set1(1.f) - set1(2.f) / (exp(size + size) + set1(1.f));
  return with_sign(select_less(size, set1(0.625f), small, large), x);
}

// Where z is less, x / (1 + e^-z) is below 2e-38 of x and taken for 0.
constexpr float kSwishEnd = -87.f;

// x / (1 + e^-z), whose limits are x and 0.
SHIFTADD_INLINE Vec swish(Vec x, Vec z) {
  return select_less(z, set1(kSwishEnd), zero(), x / (set1(1.f) + exp(zero() - z)));
}
// d/dx of it: s (1 + x z' (1 - s)), s = 1 / (1 + e^-z); rise = x z', both finite.
SHIFTADD_INLINE Vec swish_derivative(Vec z, Vec rise) {
  const Vec e = exp(zero() - z), s = set1(1.f) / (set1(1.f) + e);
  return select_less(z, set1(kSwishEnd), zero(), s * fma(rise, e * s, set1(1.f)));
}
SHIFTADD_INLINE Vec within(Vec x, float bound) { return max(set1(-bound), min(set1(bound), x)); }

/// x / (1 + e^-x).
SHIFTADD_INLINE Vec silu(Vec x) { return swish(x, x); }
SHIFTADD_INLINE Vec silu_derivative(Vec x) {
  const Vec z = within(x, 90.f);  // beyond, the derivative is 0 or 1
  return swish_derivative(z, z);
}

constexpr float kQuickGelu = 1.702f;
SHIFTADD_INLINE Vec quick_gelu(Vec x) { return swish(x, x * set1(kQuickGelu)); }
SHIFTADD_INLINE Vec quick_gelu_derivative(Vec x) {
  const Vec z = within(x * set1(kQuickGelu), 90.f);
  return swish_derivative(z, z);
}

/// x/2 (1 + tanh u) = x / (1 + e^-2u), 2u = a x + b x^3.
constexpr float kGeluTanhA = 1.595769122f, kGeluTanhB = 0.07135481627f;
SHIFTADD_INLINE Vec gelu_tanh_exponent(Vec x) {
  return x * fma(x * x, set1(kGeluTanhB), set1(kGeluTanhA));
}
SHIFTADD_INLINE Vec gelu_tanh(Vec x) { return swish(x, gelu_tanh_exponent(x)); }
SHIFTADD_INLINE Vec gelu_tanh_derivative(Vec x) {
  const Vec near = within(x, 10.2f);  // 2u = 92
  const Vec rise = near * fma(near * near, set1(3 * kGeluTanhB), set1(kGeluTanhA));
  return swish_derivative(gelu_tanh_exponent(near), rise);
}

SHIFTADD_INLINE Vec relu(Vec x) { return max(zero(), x); }  // NaN stays, as in exp
SHIFTADD_INLINE Vec relu_derivative(Vec x) { return select_less(zero(), x, set1(1.f), zero()); }

}  // namespace
}  // namespace shiftadd
