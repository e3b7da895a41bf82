// Creates the parameters of Linear, ShiftLinear and LayerNorm, and calls the op of each.
#include "layers/linear.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"

namespace shiftadd::layers {

Tensor normal_weights(Shape shape, Random& random) {
  Tensor result(std::move(shape));
  for (float& x : result.span<float>()) x = static_cast<float>(0.02 * random.normal());
  return result;
}

Linear::Linear(const std::string& name, int64_t in, int64_t out, Random& random, bool bias)
    : weight_(add_parameter(name + ".weight", normal_weights({out, in}, random))) {
  if (bias) bias_ = add_parameter(name + ".bias", Tensor::zeros({out}));
}

Variable Linear::apply(const Variable& x, Activation input, const Variable& residual) const {
  const auto scaled = [this](const Variable& rows) {
    return factors_.defined() && rows.defined() ? autograd::scale_rows(rows, factors_) : rows;
  };
  const Variable weight = scaled(weight_), bias = scaled(bias_);
  return input == Activation::kGelu ? autograd::gelu_linear(x, weight, bias, residual)
                                    : autograd::linear(x, weight, bias, residual);
}

std::pair<Tensor, Tensor> shift_and_sign_of(const Tensor& weight) {
  const Tensor shift(weight.shape()), sign(weight.shape());
  const auto w = weight.span<float>();
  const auto p = shift.span<float>(), s = sign.span<float>();
  for (std::size_t i = 0; i < w.size(); ++i) {
    s[i] = static_cast<float>((w[i] > 0) - (w[i] < 0));
    const float exponent = w[i] == 0 ? kShiftLeast : std::log2(std::abs(w[i]));
    p[i] = std::clamp<float>(exponent, kShiftLeast, kShiftMost);
  }
  return {shift, sign};
}

ShiftLinear::ShiftLinear(const LinearSpec& spec, const ShiftAddSpec& options, Random& random)
    : options_(options) {
  const Tensor weight = normal_weights({spec.out, spec.in}, random);
  if (options.form == ShiftForm::kPs) {
    const auto [shift, sign] = shift_and_sign_of(weight);
    shift_ = add_parameter(spec.name + ".shift", shift);
    sign_ = add_parameter(spec.name + ".sign", sign);
  } else {
    weight_ = add_parameter(spec.name + ".weight", weight);
  }
  if (spec.bias) bias_ = add_parameter(spec.name + ".bias", Tensor::zeros({spec.out}));
}

Variable ShiftLinear::apply(const Variable& x, Activation input, const Variable& residual) const {
  const autograd::ShiftLinearOptions options{
      .format = options_.format, .int8_activations = options_.int8_activations, .input = input};
  const auto product = [&](const Variable& sum) {
    return options_.form == ShiftForm::kPs
               ? autograd::shift_linear_ps(x, shift_, sign_, bias_, options, sum)
               : autograd::shift_linear(x, weight_, bias_, options, sum);
  };
  return factors_.defined() ? autograd::scale_channels(product({}), factors_, residual)
                            : product(residual);
}

std::unique_ptr<Projection> make_projection(const LinearSpec& spec, bool shift,
                                            const ShiftAddSpec& options, Random& random) {
  if (shift) return std::make_unique<ShiftLinear>(spec, options, random);
  return std::make_unique<Linear>(spec, random);
}

LayerNorm::LayerNorm(const NormSpec& spec)
    : eps_(spec.eps),
      weight_(add_parameter(spec.name + ".weight", Tensor::full({spec.width}, 1))),
      bias_(add_parameter(spec.name + ".bias", Tensor::zeros({spec.width}))) {}

Variable LayerNorm::forward(const Variable& x) const {
  return autograd::layer_norm(x, weight_, bias_, eps_);
}

}  // namespace shiftadd::layers
