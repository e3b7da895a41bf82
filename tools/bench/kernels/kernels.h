// Kernels that no network calls, which shiftadd-bench ops times beside those of the engine: the
// integer Shift product by shifts and adds, and MatAdd, the product of a matrix of signs and one of
// whole numbers. They are chosen, filled and tested as those of core/kernels.h.
//
// Signs are bits: a row of `channels` codes +-1 is sign_bytes(channels) bytes, bit c % 8 of byte
// c / 8 set where code c is -1; bits beyond the last are ignored.
#pragma once

#include <cstdint>

#include "core/cpu/int8.h"
#include "core/cpu/isa.h"
#include "core/tensor.h"

namespace shiftadd::tools {

inline int64_t sign_bytes(int64_t channels) { return (channels + 7) / 8; }

/// How sums are found; all give the same integers.
enum class MatAddForm : uint8_t {
  kFastest,  // what was measured to be the faster one for such a shape on such a CPU
  kDot,      // signs become int8 +-1, and int8 dot products add them up
  kTable,    // all sums of four numbers are made once and looked up by four bits
};

/// k^T v for each of `products` images and heads: out[c, j] = sum over t of +-v[t, j] with the sign
/// of code (t, c). tokens < 2^24, so that no sum overflows.
struct MatAddKeysArgs {
  int64_t products, tokens, channels, columns;
  const uint8_t* signs;  // (products, tokens, sign_bytes(channels))
  const int8_t* v;       // (products, tokens, columns)
  int32_t* out;          // (products, channels, columns)
  MatAddForm form = MatAddForm::kFastest;
};

/// q (k^T v): out[t, j] = sum over c of +-m[c, j] with the sign of code (t, c). The caller sees to
/// it that no sum leaves int32: after MatAddKeysArgs, 128 tokens channels < 2^31.
struct MatAddQueriesArgs {
  int64_t products, tokens, channels, columns;
  const uint8_t* signs;  // (products, tokens, sign_bytes(channels))
  const int32_t* m;      // (products, channels, columns)
  int32_t* out;          // (products, tokens, columns)
};

/// Where the 4-bit matrix of shift_gemm lies: panels of 16 outputs; byte (j, b), b < 8, of panel P
/// holds the codes of column j of outputs 16 P + b (low nibble) and 16 P + b + 8 (high); outputs
/// beyond the last are 0. A nibble: 8 when negative, plus 1 + k for a magnitude of 2^k, or 0.
inline constexpr int64_t kShiftPanel = 16;
inline int64_t shift_panels(int64_t outputs) { return (outputs + kShiftPanel - 1) / kShiftPanel; }

/// y[i, r] = 2^(e_r - 6) scale_i sum_j q_ij code_rj + bias[r] + residual[i, r]: shifts and adds in
/// int32, one scale at the end (arXiv 2504.18547, operand reordering). inputs <= 2^18, so that no
/// sum overflows. Below 2^24 a sum is exact in float, and y has the bits of the float product:
/// gemm with row_scale, on QuantizeTokensArgs::integers and ShiftQuantizeArgs::weight.
struct ShiftGemmArgs {
  int64_t tokens, outputs, inputs;
  const int8_t* x;               // (tokens, inputs)
  const float* scales;           // (tokens)
  const uint8_t* codes;          // shift_panels(outputs) panels of inputs * 8 bytes
  const int32_t* exponents;      // (outputs)
  const float *bias, *residual;  // (outputs), (tokens, outputs), may be y; or null
  float* y;
};

/// A 4-bit Shift matrix as ShiftGemmArgs wants it.
struct PackedShift {
  int64_t outputs = 0, inputs = 0;
  Tensor codes;      // u8 (panels, inputs, 8)
  Tensor exponents;  // i32 (outputs)
};
/// Of latent weights (outputs, inputs), f32; throws as shift_integers.
PackedShift pack_shift(const Tensor& weight);

struct BenchKernels {
  void (*shift_gemm)(const ShiftGemmArgs&);
  void (*mat_add_keys)(const MatAddKeysArgs&);
  void (*mat_add_queries)(const MatAddQueriesArgs&);
};
/// The definition of each, the fastest ones of this CPU, and those of one instruction set or of one
/// unit, kNone being AVX-512's vectors. The last two throw Error (user) when this CPU has it not.
const BenchKernels& reference_bench_kernels();
const BenchKernels& bench_kernels();
const BenchKernels& bench_kernels(Isa isa);
const BenchKernels& bench_kernels(Int8Unit unit);

}  // namespace shiftadd::tools
