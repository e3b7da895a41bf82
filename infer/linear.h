// A linear layer of a loaded network: a product of floats, or of int8 numbers.
#pragma once

#include <cstdint>

#include "core/cpu/packed_gemm.h"
#include "core/int8_matrix.h"
#include "core/kernels.h"
#include "core/tensor.h"

namespace shiftadd::infer {

/// Holds one of the two weights.
struct Linear {
  PackedMatrix weight;  // a plain layer's, or a Shift layer's powers of two as floats
  DotMatrix integers;   // int8 weights, 4-bit codes among them; needs int8_input
  Tensor bias;          // (outputs)
  bool int8_input = false;

  bool in_integers() const { return integers.panels.defined(); }
  int64_t inputs() const { return in_integers() ? integers.inputs : weight.k(); }
  int64_t outputs() const { return in_integers() ? integers.outputs : weight.n(); }
};

/// Tokens as int8 numbers, each with its scale.
struct QuantizedRows {
  int8_t* values = nullptr;  // (rows, inputs)
  float* scales = nullptr;   // (rows)
};

/// Memory for what a layer makes of its input; unused by layers whose input stays as it is.
struct LinearScratch {
  QuantizedRows quantized;   // of a product of integers; the scales of any
  float* rounded = nullptr;  // (rows, inputs), may be the input: of a product of floats
};

/// What follows a product besides its bias: an activation or a residual, not both.
struct Epilogue {
  Activation activation = Activation::kNone;
  const float* residual = nullptr;  // (rows, outputs), may be the output; or null
};

/// y (rows, outputs) = act(x W^T + bias) + residual; x (rows, inputs), contiguous. The bits are
/// those of the training graph's evaluation, and of any number of rows and threads.
void apply(const Linear& linear, const float* x, int64_t rows, float* y,
           const LinearScratch& scratch, const Epilogue& epilogue = {});

/// The same of a layer that multiplies integers, on tokens quantised before: token i is row
/// order[i] of `tokens`, or row i where order is null.
void apply_quantized(const Linear& linear, const QuantizedRows& tokens, const int32_t* order,
                     int64_t rows, float* y, const Epilogue& epilogue = {});

}  // namespace shiftadd::infer
