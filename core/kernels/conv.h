// Convolutions, plain and depthwise.
#pragma once

#include <cstdint>

namespace shiftadd {

/// x (B, C, H, W), weight (O, C, kh, kw), y (B, O, OH, OW) or, tokens = true, (B, OH*OW, O).
struct Conv2dShape {
  int64_t batch, in_channels, height, width, out_channels, kernel_h, kernel_w, stride, padding;
  bool tokens = false;
  bool bf16 = false;  // products as GemmArgs::bf16 says; depthwise ones never
  int64_t out_height() const { return (height + 2 * padding - kernel_h) / stride + 1; }
  int64_t out_width() const { return (width + 2 * padding - kernel_w) / stride + 1; }
};
template <class T>
struct Conv2dArgs {
  Conv2dShape shape;
  const T *x, *weight, *bias;  // bias or null
  T* y;
};
template <class T>
struct Conv2dBackwardArgs {
  Conv2dShape shape;
  const T *x, *weight, *dy;
  T* dx;               // assigned, or null
  T *dweight, *dbias;  // accumulated; dbias or null
};

/// One filter per channel: weight (C, 1, kh, kw), y (B, C, OH, OW). out_channels == in_channels.
template <class T>
using DepthwiseConv2dArgs = Conv2dArgs<T>;
template <class T>
using DepthwiseConv2dBackwardArgs = Conv2dBackwardArgs<T>;

template <class T>
struct ConvKernels {
  void (*conv2d)(const Conv2dArgs<T>&);
  void (*conv2d_backward)(const Conv2dBackwardArgs<T>&);
  void (*depthwise_conv2d)(const DepthwiseConv2dArgs<T>&);
  void (*depthwise_conv2d_backward)(const DepthwiseConv2dBackwardArgs<T>&);
};

}  // namespace shiftadd
