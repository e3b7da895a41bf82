// Args of the kernels of Shift layers and of the mixture's balance loss; part of core/kernels.h.
//
// A Shift weight is W = s 2^p, p an integer (You et al. 2023, arXiv 2306.06446, section 4.2).
// 4bit is deployable: a row r holds codes {0, +-1, +-2, +-4, .. +-64} times 2^(e_r - 6).
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
  int8_t* codes;       // k4Bit only: weight / 2^(exponents[row] - kShiftRange), or null
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
  T* scales;       // (rows)
  T* integers;     // q as a T, or null; may equal x
  T* dequantized;  // q scale, or null; may equal x
  int8_t* codes;   // q, or null
};

/// y = q scale.
template <class T>
struct DequantizeTokensArgs {
  int64_t rows, columns;
  const int8_t* codes;
  const T* scales;
  T* y;
};

/// Where a 4-bit matrix lies: panels of 16 outputs; byte (j, b), b < 8, of panel P holds the codes
/// of column j of outputs 16 P + b (low nibble) and 16 P + b + 8 (high); outputs beyond the last
/// are 0. A nibble: 8 when negative, plus 1 + k for a magnitude of 2^k, or 0.
inline constexpr int64_t kShiftPanel = 16;
inline int64_t shift_panels(int64_t outputs) { return (outputs + kShiftPanel - 1) / kShiftPanel; }

/// y[i, r] = 2^(e_r - 6) scale_i sum_j q_ij code_rj + bias[r] + residual[i, r]: shifts and adds in
/// int32, one scale at the end (arXiv 2504.18547, operand reordering). inputs <= 2^18, so that no
/// sum overflows. Below 2^24 a sum is exact in float, and y has the bits of the float product:
/// gemm with row_scale, on QuantizeTokensArgs::integers and ShiftQuantizeArgs::weight.
template <class T>
struct ShiftGemmArgs {
  int64_t tokens, outputs, inputs;
  const int8_t* x;           // (tokens, inputs)
  const T* scales;           // (tokens)
  const uint8_t* codes;      // shift_panels(outputs) panels of inputs * 8 bytes
  const int32_t* exponents;  // (outputs)
  const T *bias, *residual;  // (outputs), (tokens, outputs), may be y; or null
  T* y;
};

/// loss = SCV(importance) + SCV(load), SCV(z) = sample variance / mean^2 over the experts;
/// importance_i = alpha_i sum_t softmax(logits_t)_i,
/// load_i = alpha_i sum_t Phi((logits_ti - max_{j != i} noisy_tj) / sigma), noisy a constant
/// (Shazeer et al. 2017, arXiv 1701.06538, appendix A, with alpha: arXiv 2306.06446, section 4.3).
template <class T>
struct BalanceArgs {
  int64_t tokens, experts;
  const double* alpha;
  double sigma;             // > 0
  const T *logits, *noisy;  // (tokens, experts)
  T* loss;
  T* dlogits;                 // gradient of the loss, or null
  double *importance, *load;  // (experts)
  double* scv;                // of importance, of load
};

}  // namespace shiftadd
