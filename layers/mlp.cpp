// Applies fc1, GELU, dropout and fc2; without dropout, the fc2 of a plain MLP computes GELU itself.
#include "layers/mlp.h"

#include "autograd/ops.h"

namespace shiftadd::layers {

PlainMlp::PlainMlp(const std::string& name, const MlpSpec& spec, bool shift_fc1, bool shift_fc2,
                   const ShiftAddSpec& options, Random& random)
    : fc1_(add_module(make_projection(concat(name, ".", spec.fc1.name), shift_fc1, spec.fc1.in,
                                      spec.fc1.out, options, random))),
      fc2_(add_module(make_projection(concat(name, ".", spec.fc2.name), shift_fc2, spec.fc2.in,
                                      spec.fc2.out, options, random))) {}

Variable PlainMlp::forward(const Variable& x, const Variable& residual, const Pass& pass) const {
  const Variable hidden = fc1_->apply(x, Activation::kNone, {});
  if (pass.dropout == 0) return fc2_->apply(hidden, Activation::kGelu, residual);
  const Variable kept =
      autograd::dropout(autograd::gelu(hidden), pass.dropout, pass.seed, pass.dropout_stream);
  return fc2_->apply(kept, Activation::kNone, residual);
}

LayeredMlp::LayeredMlp(const MlpSpec& spec, const Grid& grid, const ShiftAddSpec& options,
                       Random& random)
    : grid_(grid) {
  fc1_ = add_module(make_linear_layer(spec.named(spec.fc1), options, random));
  if (spec.depthwise)
    filter_ =
        add_module(std::make_unique<DepthwiseConvolution>(spec.named(*spec.depthwise), random));
  fc2_ = add_module(make_linear_layer(spec.named(spec.fc2), options, random));
}

Variable LayeredMlp::forward(const Variable& x, const Variable& residual, const Pass& pass) const {
  Variable hidden = fc1_->forward(x, {}, pass);
  if (filter_) hidden = filter_->forward(hidden, grid_);
  hidden = autograd::gelu(hidden);
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
