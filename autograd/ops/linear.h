// The three products of a linear layer, shared by linear and gelu_linear.
#pragma once

#include "autograd/variable.h"
#include "core/kernels.h"

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
/// undefined. With shape.bf16, `input` kGelu takes gelu(x) for x.
template <class T>
void linear_forward(const LinearShape& shape, const T* x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, T* y, const Tensor& row_scale = {},
                    Activation input = Activation::kNone);
/// dweight += dy^T x, dbias += column sums of dy; each may be undefined. `input` as above.
template <class T>
void linear_parameter_gradients(const LinearShape& shape, const T* x, const T* dy,
                                const Tensor& dweight, const Tensor& dbias,
                                Activation input = Activation::kNone);
/// dx = dy weight, times gelu'(gelu_input) unless that is null.
template <class T>
void linear_input_gradient(const LinearShape& shape, const T* dy, const Tensor& weight, T* dx,
                           const T* gelu_input = nullptr);

}  // namespace shiftadd::autograd
