// Applies fc1, the activation, dropout and fc2; without dropout, the fc2 of a plain MLP computes
// GELU itself.
#include "layers/mlp.h"

#include "autograd/ops.h"

namespace shiftadd::layers {

PlainMlp::PlainMlp(const std::string& name, const MlpSpec& spec, bool shift_fc1, bool shift_fc2,
                   const ShiftAddSpec& options, Random& random)
    : activation_(spec.activation) {
  const auto add = [&](LinearSpec layer, bool shift) {
    layer.name = concat(name, ".", layer.name);
    return add_module(make_projection(layer, shift, options, random));
  };
  fc1_ = add(spec.fc1, shift_fc1);
  fc2_ = add(spec.fc2, shift_fc2);
}

Variable PlainMlp::forward(const Variable& x, const Variable& residual, const Pass& pass) const {
  const Variable hidden = fc1_->apply(x, Activation::kNone, {});
  if (pass.dropout == 0 && activation_ == HiddenActivation::kGelu)
    return fc2_->apply(hidden, Activation::kGelu, residual);
  Variable kept = autograd::activate(hidden, activation_);
  if (pass.dropout > 0)
    kept = autograd::dropout(kept, pass.dropout, pass.seed, pass.dropout_stream);
  return fc2_->apply(kept, Activation::kNone, residual);
}

LayeredMlp::LayeredMlp(const MlpSpec& spec, const Grid& grid, const ShiftAddSpec& options,
                       Random& random)
    : activation_(spec.activation), grid_(grid) {
  fc1_ = add_module(make_linear_layer(spec.named(spec.fc1), options, random));
  if (spec.depthwise)
    filter_ =
        add_module(std::make_unique<DepthwiseConvolution>(spec.named(*spec.depthwise), random));
  fc2_ = add_module(make_linear_layer(spec.named(spec.fc2), options, random));
}

Variable LayeredMlp::forward(const Variable& x, const Variable& residual, const Pass& pass) const {
  Variable hidden = fc1_->forward(x, {}, pass);
  if (filter_) hidden = filter_->forward(hidden, grid_);
  hidden = autograd::activate(hidden, activation_);
  if (pass.dropout > 0)
    hidden = autograd::dropout(hidden, pass.dropout, pass.seed, pass.dropout_stream);
  Pass after = pass;
  after.noise_stream = stream_of(pass.noise_stream, 1);
  return fc2_->forward(hidden, residual, after);
}

std::unique_ptr<TokenLayer> make_mlp(const MlpSpec& spec, const Grid& grid,
                                     const ShiftAddSpec& options, Random& random) {
  const auto shifts = [](const LinearSpec& layer) { return layer.kind == LayerKind::kShift; };
  const auto routes = [](const LinearSpec& layer) { return layer.kind == LayerKind::kMixture; };
  if (spec.routed)
    return std::make_unique<Mixture>(
        spec.name, spec.fc1.in, options.gate, random, [&](const std::string& name, bool shift) {
          return std::make_unique<PlainMlp>(name, spec, shift, shift, options, random);
        });
  if (spec.depthwise || routes(spec.fc1) || routes(spec.fc2))
    return std::make_unique<LayeredMlp>(spec, grid, options, random);
  return std::make_unique<PlainMlp>(spec.name, spec, shifts(spec.fc1), shifts(spec.fc2), options,
                                    random);
}

}  // namespace shiftadd::layers
