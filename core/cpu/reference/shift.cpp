// Shift weights and int8 tokens, by definition.
#include "core/shift.h"

#include <bit>
#include <cmath>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void shift_quantize(const ShiftQuantizeArgs<T>& args) {
  using Bits = FloatBits<T>;
  using Word = typename Bits::Word;
  for (int64_t row = 0; row < args.rows; ++row) {
    const int64_t at = row * args.columns;
    ShiftWindow<T> window = ShiftWindow<T>::of_5bit();
    if (args.format == ShiftFormat::k4Bit) {
      Word largest = 0;
      for (int64_t j = 0; j < args.columns; ++j) {
        const Word magnitude = Bits::magnitude(args.w[at + j]);
        if (magnitude > largest) largest = magnitude;
      }
      const int exponent = ShiftWindow<T>::row_exponent(largest);
      window = ShiftWindow<T>::of_4bit(exponent);
      if (args.exponents) args.exponents[row] = exponent;
    }
    for (int64_t j = 0; j < args.columns; ++j) {
      const T w = args.w[at + j];
      const Word magnitude = Bits::magnitude(w), sign = std::bit_cast<Word>(w) & Bits::kSign;
      const int exponent = window.exponent(magnitude);
      T power = 0;
      int code = 0;
      if (magnitude >= window.least) {
        power = std::bit_cast<T>(static_cast<Word>(exponent) << Bits::kMantissa | sign);
        if (args.integers)
          code = sign ? -(1 << (exponent - window.low)) : 1 << (exponent - window.low);
      }
      if (args.weight) args.weight[at + j] = magnitude < Bits::kInfinity ? power : w;
      if (args.integers) args.integers[at + j] = static_cast<int8_t>(code);
    }
  }
}

template <class T>
void shift_compose(const ShiftComposeArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) {
    T p = args.shift[i], s = std::nearbyint(args.sign[i]);
    if (p < kShiftLeast) p = kShiftLeast;
    if (p > kShiftMost) p = kShiftMost;
    if (s > 0) s = 1;
    if (s < 0) s = -1;
    args.weight[i] = s * std::exp2(std::nearbyint(p));
  }
}

template <class T>
void quantize_tokens(const QuantizeTokensArgs<T>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const int64_t at = row * args.columns;
    T largest = T(1e-12);
    for (int64_t j = 0; j < args.columns; ++j) {
      const T magnitude = std::abs(args.x[at + j]);
      if (magnitude > largest || std::isnan(magnitude)) largest = magnitude;
      if (std::isnan(largest)) break;
    }
    const T scale = largest / 127;
    args.scales[row] = scale;
    for (int64_t j = 0; j < args.columns; ++j) {
      T q = std::nearbyint(args.x[at + j] / scale);
      if (q > 127) q = 127;
      if (q < -127) q = -127;
      if (args.quantized) args.quantized[at + j] = std::isnan(q) ? 0 : static_cast<int8_t>(q);
      if (args.integers) args.integers[at + j] = q;
      if (args.dequantized) args.dequantized[at + j] = q * scale;
    }
  }
}

template <class T>
void dequantize_tokens(const DequantizeTokensArgs<T>& args) {
  for (int64_t i = 0; i < args.rows * args.columns; ++i)
    args.y[i] = static_cast<T>(args.quantized[i]) * args.scales[i / args.columns];
}

#define SHIFTADD_INSTANTIATE(T)                                \
  template void shift_quantize(const ShiftQuantizeArgs<T>&);   \
  template void shift_compose(const ShiftComposeArgs<T>&);     \
  template void quantize_tokens(const QuantizeTokensArgs<T>&); \
  template void dequantize_tokens(const DequantizeTokensArgs<T>&);
SHIFTADD_INSTANTIATE(float)
SHIFTADD_INSTANTIATE(double)
#undef SHIFTADD_INSTANTIATE

}  // namespace shiftadd::reference
