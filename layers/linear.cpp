// See linear.h.
#include "layers/linear.h"

#include "autograd/ops.h"

namespace shiftadd::layers {

Tensor normal_weights(Shape shape, Random& random) {
  Tensor result(std::move(shape));
  for (float& x : result.span<float>()) x = static_cast<float>(0.02 * random.normal());
  return result;
}

Linear::Linear(int64_t in, int64_t out, Random& random)
    : weight_(add_parameter("weight", normal_weights({out, in}, random))),
      bias_(add_parameter("bias", Tensor::zeros({out}))) {}

Variable Linear::forward(const Variable& x, const Variable& residual) const {
  return autograd::linear(x, weight_, bias_, residual);
}

Variable Linear::forward_gelu(const Variable& x, const Variable& residual) const {
  return autograd::gelu_linear(x, weight_, bias_, residual);
}

LayerNorm::LayerNorm(int64_t width, double eps)
    : eps_(eps),
      weight_(add_parameter("weight", Tensor::full({width}, 1))),
      bias_(add_parameter("bias", Tensor::zeros({width}))) {}

Variable LayerNorm::forward(const Variable& x) const {
  return autograd::layer_norm(x, weight_, bias_, eps_);
}

}  // namespace shiftadd::layers
