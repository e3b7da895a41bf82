// Convolves images, to images or to tokens.
#include "autograd/ops.h"
#include "autograd/ops/convolution.h"

namespace shiftadd::autograd {

Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, int64_t stride,
                int64_t padding) {
  const Conv2dShape s =
      check_convolution("conv2d", ConvKind::kDense, x, weight, bias, stride, padding);
  return convolve<ConvKind::kDense>("conv2d", s, x, weight, bias);
}

Variable conv2d_tokens(const Variable& x, const Variable& weight, const Variable& bias,
                       int64_t stride, int64_t padding) {
  Conv2dShape s =
      check_convolution("conv2d_tokens", ConvKind::kDense, x, weight, bias, stride, padding);
  s.tokens = true;
  return convolve<ConvKind::kDense>("conv2d_tokens", s, x, weight, bias);
}

}  // namespace shiftadd::autograd
