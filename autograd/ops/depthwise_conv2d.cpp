// Convolves each channel with its own filter.
#include "autograd/ops.h"
#include "autograd/ops/convolution.h"

namespace shiftadd::autograd {

Variable depthwise_conv2d(const Variable& x, const Variable& weight, const Variable& bias,
                          int64_t stride, int64_t padding) {
  const Conv2dShape s =
      check_convolution("depthwise_conv2d", ConvKind::kDepthwise, x, weight, bias, stride, padding);
  return convolve<ConvKind::kDepthwise>("depthwise_conv2d", s, x, weight, bias);
}

}  // namespace shiftadd::autograd
