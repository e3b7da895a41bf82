// What makes weights powers of two and tokens int8 numbers.
//
// A Shift weight is W = s 2^p, p an integer (You et al. 2023, arXiv 2306.06446, section 4.2).
// 4bit is deployable: a row r holds integers {0, +-1, +-2, +-4, .. +-64} times 2^(e_r - 6).
#pragma once

#include <cstdint>

namespace shiftadd {

enum class ShiftFormat : uint8_t { k4Bit, k5Bit };

/// 5bit: p in [kShiftLeast, kShiftMost], no zero but that of a latent 0.
inline constexpr int kShiftLeast = -14, kShiftMost = 0;
/// 4bit: p in [e - kShiftRange, e], where e = round(log2 max |w|) of the row; smaller ones are 0.
inline constexpr int kShiftRange = 6;
/// e is held within +-kRowExponentLimit, so that no code over- or underflows in float.
inline constexpr int kRowExponentLimit = 100;

/// Form q. The nearest power of two in the logarithm: p = round(log2 |w|), by comparing the
/// mantissa with sqrt(2) (never equal, so there are no ties); sign(0) = 0; infinity and NaN stay.
template <class T>
struct ShiftQuantizeArgs {
  int64_t rows, columns;
  ShiftFormat format;
  const T* w;
  T* weight;           // s 2^p, or null; may equal w
  int8_t* integers;    // k4Bit only: weight / 2^(exponents[row] - kShiftRange), or null
  int32_t* exponents;  // k4Bit only: (rows), e_r, or null
};

/// Form ps: weight = sign(round(sign)) 2^round(clamp(shift, kShiftLeast, kShiftMost)), half to
/// even.
template <class T>
struct ShiftComposeArgs {
  int64_t n;
  const T *shift, *sign;
  T* weight;
};

/// Symmetric int8 with one scale per token (row): scale = max(max |x|, 1e-12) / 127 and
/// q = clamp(round(x / scale), +-127), half to even. The same bits on every instruction set. A row
/// that holds a NaN has scale NaN.
template <class T>
struct QuantizeTokensArgs {
  int64_t rows, columns;
  const T* x;
  T* scales;          // (rows)
  T* integers;        // q as a T, or null; may equal x
  T* dequantized;     // q scale, or null; may equal x
  int8_t* quantized;  // q, or null
};

/// y = q scale.
template <class T>
struct DequantizeTokensArgs {
  int64_t rows, columns;
  const int8_t* quantized;
  const T* scales;
  T* y;
};

template <class T>
struct ShiftKernels {
  void (*shift_quantize)(const ShiftQuantizeArgs<T>&);
  void (*shift_compose)(const ShiftComposeArgs<T>&);
  void (*quantize_tokens)(const QuantizeTokensArgs<T>&);
  void (*dequantize_tokens)(const DequantizeTokensArgs<T>&);
};

}  // namespace shiftadd
