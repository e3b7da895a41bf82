// Shift weights and int8 tokens; core/shift.h has the same arithmetic for one number.
#pragma once

#include "core/cpu/simd/elementwise.h"
#include "core/cpu/simd/ints.h"
#include "core/cpu/simd/row_ops.h"
#include "core/cpu/simd/signs.h"
#include "core/kernels/shift.h"

namespace shiftadd {
namespace {

constexpr int32_t kMagnitude = 0x7fffffff, kInfinityBits = 0x7f800000;
constexpr int kExponentBias = 127;
// Carries into the exponent where the mantissa is above that of sqrt(2), so that what stands in the
// exponent's place is round(log2).
constexpr int32_t kLogCarry = 0x800000 - 0x3504f4;

// The largest |x| of a row, as bits: they order like the numbers, and any NaN is above all.
SHIFTADD_INLINE int32_t largest_magnitude(const float* x, int64_t n) {
  constexpr int kAtOnce = 4;  // maxima beside one another: none waits for the one before
  const Ints magnitude = set1i(kMagnitude);
  Ints top[kAtOnce] = {};
  int64_t j = 0;
  for (; j + kAtOnce * kWidth <= n; j += kAtOnce * kWidth)
#pragma GCC unroll 4
    for (int i = 0; i < kAtOnce; ++i)
      top[i] = max(top[i], bits_of(load(x + j + i * kWidth)) & magnitude);
  for_vectors(
      j, n, [&](int64_t k, auto lanes) __attribute__((always_inline)) {
        top[0] = max(top[0], bits_of(load(x + k, lanes)) & magnitude);
      });
  return max_lanes(max(max(top[0], top[1]), max(top[2], top[3])));
}

// Biased exponents low .. high; magnitudes (as bits) below least become 0.
struct ShiftBounds {
  int32_t low, high, least;
};

SHIFTADD_INLINE ShiftBounds bounds_of_row(const ShiftQuantizeArgs<float>& args, int64_t row) {
  if (args.format == ShiftFormat::k5Bit)
    return {kShiftLeast + kExponentBias, kShiftMost + kExponentBias, 1};
  int32_t largest = largest_magnitude(args.w + row * args.columns, args.columns);
  largest = largest < kInfinityBits ? largest : kInfinityBits;
  int32_t exponent = ((largest + kLogCarry) >> 23) - kExponentBias;
  exponent = exponent < -kRowExponentLimit  ? -kRowExponentLimit
             : exponent > kRowExponentLimit ? kRowExponentLimit
                                            : exponent;
  if (args.exponents) args.exponents[row] = exponent;
  const int32_t high = exponent + kExponentBias, low = high - kShiftRange;
  return {low, high, (low << 23) - kLogCarry};
}

void shift_quantize_kernel(const ShiftQuantizeArgs<float>& args) {
  const int64_t n = args.columns;
  parallel_chunks(args.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const ShiftBounds bounds = bounds_of_row(args, row);
      const Ints low = set1i(bounds.low), high = set1i(bounds.high), least = set1i(bounds.least);
      const Ints infinity = set1i(kInfinityBits);
      const float* w = args.w + row * n;
      float* weight = args.weight ? args.weight + row * n : nullptr;
      int8_t* integers = args.integers ? args.integers + row * n : nullptr;
      for_vectors(
          0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            const Ints bits = bits_of(load(w + j, lanes)), magnitude = bits & kMagnitude;
            const Ints rounded = (min(magnitude, infinity) + kLogCarry) >> 23;
            const Ints exponent = max(low, min(high, rounded));
            const Ints kept = magnitude >= least;
            if (weight) {
              const Ints power = ((exponent << 23) | (bits & ~kMagnitude)) & kept;
              store(weight + j, from_bits(choose(magnitude >= infinity, bits, power)), lanes);
            }
            if (integers) {
              const Ints negative = bits >> 31, code = shift_left(set1i(1), exponent - low);
              store_int8(integers + j, ((code ^ negative) - negative) & kept, lanes);
            }
          });
    }
  });
}

// Constants come first in min and max, and what is NaN is multiplied by 0 and added: it stays NaN.
void shift_compose_kernel(const ShiftComposeArgs<float>& args) {
  const Vec least = set1(static_cast<float>(kShiftLeast));
  const Vec most = set1(static_cast<float>(kShiftMost));
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const Vec p = round(max(least, min(most, load(args.shift + i, lanes))));
        const Vec s = load(args.sign + i, lanes);
        // round(s) is 0 up to a half.
        const Vec sign = select_less(set1(0.5f), abs(s), with_sign(set1(1.f), s), s * zero());
        store(args.weight + i, fma(p, zero(), power_of_two(p)) * sign, lanes);
      });
}

// round(x / scale), half to even, by its reciprocal: the product is within 2e-5 of the quotient
// where |x / scale| <= 127, so that only what lies near a half has to be divided. NaN stays.
SHIFTADD_INLINE Vec round_quotient(Vec x, Vec scale, Vec reciprocal, Vec near_half) {
  const Vec magic = set1(0x1.8p23f);  // added, it leaves no bits for a fraction
  const Vec nearest = fma(x, reciprocal, magic) - magic;
  const Vec rest = abs(fnma(nearest, scale, x));
  if (__builtin_expect(negative_bits(near_half - rest) != 0, 0))
    return round(x / scale) + zero();  // no -0 here either: a neighbour must not show
  return nearest;
}

void quantize_tokens_kernel(const QuantizeTokensArgs<float>& args) {
  const int64_t n = args.columns;
  parallel_chunks(args.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = args.x + row * n;
      const float largest = __builtin_bit_cast(float, largest_magnitude(x, n));
      const float scale = (largest < 1e-12f ? 1e-12f : largest) / 127.f;
      args.scales[row] = scale;
      float* integers = args.integers ? args.integers + row * n : nullptr;
      float* dequantized = args.dequantized ? args.dequantized + row * n : nullptr;
      int8_t* quantized = args.quantized ? args.quantized + row * n : nullptr;
      const Vec divisor = set1(scale), reciprocal = set1(1 / scale), near = set1(0.4999f * scale);
      for_vectors(
          0, n, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            // No larger than 127: the row's largest is that.
            const Vec q = round_quotient(load(x + j, lanes), divisor, reciprocal, near);
            if (integers) store(integers + j, q, lanes);
            if (dequantized) store(dequantized + j, q * set1(scale), lanes);
            if (quantized) store_int8(quantized + j, to_ints(q), lanes);
          });
    }
  });
}

void dequantize_tokens_kernel(const DequantizeTokensArgs<float>& args) {
  const int64_t n = args.columns;
  parallel_chunks(args.rows, row_grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for_vectors(
          row * n, row * n + n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
            store(args.y + i,
                  to_floats(load_int8(args.quantized + i, lanes)) * set1(args.scales[row]), lanes);
          });
  });
}

}  // namespace
}  // namespace shiftadd
