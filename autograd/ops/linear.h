// The three products of a linear layer, shared by linear and gelu_linear.
#pragma once

#include "autograd/variable.h"

namespace shiftadd::autograd {

struct LinearShape {
  int64_t rows, in, out;
  bool bf16;  // GemmArgs::bf16 of all three products
};

/// Takes bf16 from bf16_products(). Validates x (..., in), weight (out, in), bias (out) or
/// undefined, residual (..., out) or undefined.
LinearShape check_linear(const char* op, const Variable& x, const Variable& weight,
                         const Variable& bias, const Variable& residual);
Shape output_shape(const Variable& x, int64_t out);  // x's, with `out` last

/// y = row_scale x weight^T + bias + residual; row_scale (rows), bias and residual may be
/// undefined.
template <class T>
void linear_forward(const LinearShape& shape, const T* x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, T* y, const Tensor& row_scale = {});
/// dweight += dy^T x, dbias += column sums of dy; each may be undefined.
template <class T>
void linear_parameter_gradients(const LinearShape& shape, const T* x, const T* dy,
                                const Tensor& dweight, const Tensor& dbias);
/// dx = dy weight.
template <class T>
void linear_input_gradient(const LinearShape& shape, const T* dy, const Tensor& weight, T* dx);

}  // namespace shiftadd::autograd
