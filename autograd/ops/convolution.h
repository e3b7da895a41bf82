// What conv2d, conv2d_tokens and depthwise_conv2d share.
#pragma once

#include "autograd/variable.h"
#include "core/kernels.h"

namespace shiftadd::autograd {

enum class ConvKind { kDense, kDepthwise };

/// Validates x (B, I, H, W), weight (O, I, kh, kw) or (C, 1, kh, kw), bias (O) or undefined.
Conv2dShape check_convolution(const char* op, ConvKind kind, const Variable& x,
                              const Variable& weight, const Variable& bias, int64_t stride,
                              int64_t padding);

/// The recorded convolution of a checked shape; the output is as Conv2dShape describes.
template <ConvKind kKind>
Variable convolve(const char* op, const Conv2dShape& shape, const Variable& x,
                  const Variable& weight, const Variable& bias);

}  // namespace shiftadd::autograd
