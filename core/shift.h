// What a Shift weight is, one number at a time, and the 4-bit codes of a matrix.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "core/kernels/shift.h"
#include "core/tensor.h"

namespace shiftadd {

/// The bits of an IEEE number, named.
template <class T>
struct FloatBits {
  using Word = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  static constexpr int kMantissa = sizeof(T) == 4 ? 23 : 52;
  static constexpr int kBias = sizeof(T) == 4 ? 127 : 1023;
  static constexpr Word kSign = Word{1} << (8 * sizeof(T) - 1);
  static constexpr Word kInfinity = Word{2 * kBias + 1} << kMantissa;
  /// Mantissa of the smallest number above sqrt(2): from here on log2 rounds up. Added to the bits,
  /// kCarry carries into the exponent exactly then.
  static constexpr Word kAboveRoot = sizeof(T) == 4 ? 0x3504f4 : Word(0x6a09e667f3bcd);
  static constexpr Word kCarry = (Word{1} << kMantissa) - kAboveRoot;

  static Word magnitude(T x) { return std::bit_cast<Word>(x) & ~kSign; }
  /// round(log2 x) + kBias for the magnitude of a normal number; below 1 for smaller ones.
  static int rounded_exponent(Word magnitude) {
    return static_cast<int>((magnitude + kCarry) >> kMantissa);
  }
};

/// Which powers of two a row may hold: biased exponents low .. high, and the least magnitude (as
/// bits) that does not become 0.
template <class T>
struct ShiftWindow {
  using Bits = FloatBits<T>;
  int low, high;
  typename Bits::Word least;

  static ShiftWindow of_5bit() { return {kShiftLeast + Bits::kBias, kShiftMost + Bits::kBias, 1}; }
  static ShiftWindow of_4bit(int exponent) {
    const int low = exponent - kShiftRange + Bits::kBias;
    using Word = typename Bits::Word;
    return {low, low + kShiftRange, (static_cast<Word>(low) << Bits::kMantissa) - Bits::kCarry};
  }
  /// e of a row whose largest magnitude is given; of a row of zeros, -kRowExponentLimit.
  static int row_exponent(typename Bits::Word largest) {
    const int e = Bits::rounded_exponent(largest < Bits::kInfinity ? largest : Bits::kInfinity);
    const int unbiased = e - Bits::kBias;
    return unbiased < -kRowExponentLimit  ? -kRowExponentLimit
           : unbiased > kRowExponentLimit ? kRowExponentLimit
                                          : unbiased;
  }
  /// The magnitude's biased exponent within the window; only for magnitudes >= least.
  int exponent(typename Bits::Word magnitude) const {
    const int e = Bits::rounded_exponent(magnitude);
    return e < low ? low : e > high ? high : e;
  }
};

/// Throws Error (user) unless `weight` is an f32 matrix of finite numbers with at most 2^18 inputs;
/// `what` names the caller.
void check_weight(const char* what, const Tensor& weight);

/// A 4-bit Shift matrix as numbers: weight = code 2^(exponent of its row - kShiftRange).
struct ShiftIntegers {
  int64_t outputs = 0, inputs = 0;
  std::vector<int8_t> values;      // (outputs, inputs)
  std::vector<int32_t> exponents;  // (outputs)
};
/// Quantises latent weights (outputs, inputs) with KernelTable::shift_quantize; throws as
/// check_weight.
ShiftIntegers shift_integers(const Tensor& weight);

/// The nibble of a code 0 or +-2^k, k <= 6 (core/kernels/int8.h).
uint8_t nibble_of(int8_t code);

}  // namespace shiftadd
