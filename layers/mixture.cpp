// Creates a router and two experts, and sends tokens by the router's choice or by a fixed split.
#include "layers/mixture.h"

#include "autograd/ops.h"

namespace shiftadd::layers {
namespace {

autograd::Gate gate_of(GateKind kind) {
  switch (kind) {
    case GateKind::kStraightThrough:
      return autograd::Gate::kStraightThrough;
    case GateKind::kProbability:
      return autograd::Gate::kProbability;
    case GateKind::kFixedSplit:
      return autograd::Gate::kNone;
  }
  throw failure("[mixture] unknown gate");
}

// Splits the tokens of x (..., N, C), in the same way for each image.
autograd::Routing fixed_split(const Variable& x) {
  const int64_t image = x.dim(-2), tokens = x.value().numel() / x.dim(-1);
  autograd::Routing routing;
  for (int64_t t = 0; t < tokens; ++t) routing.choice.push_back(fixed_split_expert(t % image));
  return routing;
}

}  // namespace

Mixture::Mixture(const std::string& name, int64_t width, GateKind gate, Random& random,
                 const MakeLayer& make)
    : gate_(gate_of(gate)),
      router_(gate == GateKind::kFixedSplit
                  ? nullptr
                  : add_module(std::make_unique<Linear>(name_of_router(name), width, 2, random))) {
  for (const int i : {kMultExpert, kShiftExpert})
    experts_[i] = add_module(make(name_of_expert(name, i), i == kShiftExpert));
}

autograd::Routing Mixture::route(const Variable& x, const Pass& pass) const {
  if (!router_) return fixed_split(x);
  Tensor noise;
  if (pass.router_noise > 0)
    noise = autograd::routing_noise(x.value().numel() / x.dim(-1), 2, pass.seed, pass.noise_stream);
  return autograd::route(x, router_->weight(), router_->bias(), noise, pass.router_noise);
}

Variable Mixture::forward(const Variable& x, const Variable& residual, const Pass& pass) const {
  const autograd::Routing routing = route(x, pass);
  const auto expert = [&pass](const TokenLayer* layer) {
    return [layer, pass](const Variable& tokens) { return layer->forward(tokens, {}, pass); };
  };
  const Variable y =
      autograd::mixture(x, routing, gate_, {expert(experts_[0]), expert(experts_[1])},
                        factors_.defined() ? Variable() : residual);
  if (pass.routings) pass.routings->push_back(routing);
  return factors_.defined() ? autograd::scale_channels(y, factors_, residual) : y;
}

std::unique_ptr<TokenLayer> make_token_layer(const std::string& name, LayerKind kind, int64_t width,
                                             GateKind gate, Random& random, const MakeLayer& make) {
  if (kind == LayerKind::kMixture)
    return std::make_unique<Mixture>(name, width, gate, random, make);
  return make(name, kind == LayerKind::kShift);
}

std::unique_ptr<TokenLayer> make_linear_layer(const LinearSpec& spec, const ShiftAddSpec& options,
                                              Random& random) {
  return make_token_layer(spec.name, spec.kind, spec.in, options.gate, random,
                          [&](const std::string& name, bool shift) {
                            LinearSpec named = spec;
                            named.name = name;
                            return make_projection(named, shift, options, random);
                          });
}

}  // namespace shiftadd::layers
