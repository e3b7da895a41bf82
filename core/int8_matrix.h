// A linear layer's int8 weight: as a model file stores it, and laid out for dot products.
#pragma once

#include <cstdint>

#include "core/shift.h"
#include "core/tensor.h"

namespace shiftadd {

/// A 4-bit Shift matrix as a model file holds it: nibbles (core/kernels/int8.h) and, for each row,
/// the exponent of its largest power of two.
struct ShiftRows {
  int64_t outputs = 0, inputs = 0;
  Tensor nibbles;    // u8 (outputs, nibble_stride(inputs))
  Tensor exponents;  // i16 (outputs)
};
/// Of latent weights (outputs, inputs), f32; throws as shift_integers does.
ShiftRows shift_rows(const Tensor& weight);

/// Weights of +-127 with one scale a row: scale = max(max |w|, 1e-12) / 127.
struct Int8Rows {
  Tensor weight;  // i8 (outputs, inputs)
  Tensor scales;  // f32 (outputs)
};
/// Of weights (outputs, inputs), f32; throws Error (user) for another rank or dtype and for numbers
/// that are not finite.
Int8Rows int8_rows(const Tensor& weight);

/// What KernelTable::int8_gemm multiplies. Owns its storage; cheap to copy (the storage is shared).
/// Throws Error (user) for more than kMostDotInputs inputs.
struct DotMatrix {
  DotMatrix() = default;
  explicit DotMatrix(const ShiftRows& rows);
  explicit DotMatrix(const Int8Rows& rows);

  int64_t outputs = 0, inputs = 0;
  Tensor panels;      // u8 (dot_bytes(outputs, inputs))
  Tensor row_scales;  // f32 (outputs)
};

}  // namespace shiftadd
