// Turns tokens into planes and back around the convolution ops.
#include "layers/convolution.h"

#include <cmath>
#include <utility>

#include "autograd/ops.h"

namespace shiftadd::layers {
namespace {

Tensor uniform(Shape shape, int64_t inputs, Random& random) {
  const double bound = 1 / std::sqrt(static_cast<double>(inputs));
  Tensor result(std::move(shape));
  for (float& x : result.span<float>()) x = static_cast<float>(random.uniform(-bound, bound));
  return result;
}

// (B, H W, C) -> (B, C, H, W).
Variable planes_of(const Variable& tokens, const Grid& grid) {
  return autograd::reshape(autograd::transpose_last(tokens),
                           {tokens.dim(0), tokens.dim(2), grid.height, grid.width});
}

}  // namespace

Convolution::Convolution(const ConvSpec& spec, Random& random)
    : spec_(spec),
      weight_(add_parameter(
          spec.name + ".weight",
          uniform({spec.out, spec.in, spec.kernel, spec.kernel}, spec.inputs(), random))) {
  if (spec.bias)
    bias_ = add_parameter(spec.name + ".bias", uniform({spec.out}, spec.inputs(), random));
}

Variable Convolution::of_images(const Variable& images) const {
  return autograd::conv2d_tokens(images, weight_, bias_, spec_.stride, spec_.padding);
}

Variable Convolution::of_tokens(const Variable& tokens, const Grid& grid) const {
  return of_images(planes_of(tokens, grid));
}

DepthwiseConvolution::DepthwiseConvolution(const DepthwiseSpec& spec, Random& random)
    : padding_(spec.kernel / 2),
      weight_(add_parameter(
          spec.name + ".weight",
          uniform({spec.width, 1, spec.kernel, spec.kernel}, spec.kernel * spec.kernel, random))),
      bias_(add_parameter(spec.name + ".bias",
                          uniform({spec.width}, spec.kernel * spec.kernel, random))) {}

Variable DepthwiseConvolution::forward(const Variable& tokens, const Grid& grid) const {
  const Variable y =
      autograd::depthwise_conv2d(planes_of(tokens, grid), weight_, bias_, 1, padding_);
  return autograd::transpose_last(
      autograd::reshape(y, {tokens.dim(0), tokens.dim(2), grid.count()}));
}

}  // namespace shiftadd::layers
