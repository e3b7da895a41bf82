// The product with powers of two as the paper's kernel has it, for the bench: every weight is a
// shift and an addition on the integer units, no tensor core. No network calls it: tensor cores are
// faster.
#pragma once

#include <cstddef>

#include "cuda/operands.h"

namespace shiftadd::cuda {

/// y = sum of +-(x << k) over the inputs, times row scale and token scale, plus bias: the bits of
/// product_int8 on nibbles. Grid: (outputs / 32, rows / 8).
struct LiteralShiftArgs {
  QuantizedIn in;
  const uint8_t* nibbles = nullptr;   // (outputs, nibble_stride) as a model file stores them
  const float* row_scales = nullptr;  // (outputs)
  const float* bias = nullptr;        // (outputs)
  int32_t rows = 0, outputs = 0, inputs = 0, nibble_stride = 0;
  RowsAt<float> out;
};
inline constexpr int kLiteralOutputs = 32, kLiteralRows = 8,
                     kLiteralThreads = kLiteralOutputs * kLiteralRows;

}  // namespace shiftadd::cuda
