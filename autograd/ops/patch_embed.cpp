// Non-overlapping patches as tokens: the stem of a vision transformer (Dosovitskiy et al. 2021).
#include "autograd/ops.h"
#include "autograd/ops/convolution.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable patch_embed(const Variable& image, const Variable& weight, const Variable& bias) {
  check_rank("patch_embed", "weight", weight, 4);
  const int64_t patch = weight.dim(2);
  Conv2dShape s = check_convolution("patch_embed", ConvKind::kDense, image, weight, bias, patch, 0);
  if (s.kernel_w != patch || s.height % patch || s.width % patch)
    throw user_error("[patch_embed] weight is ", weight.shape(), ", image is ", image.shape(),
                     ": expected square patches and sides divisible by ", patch);
  s.tokens = true;
  return convolve<ConvKind::kDense>("patch_embed", s, image, weight, bias);
}

}  // namespace shiftadd::autograd
