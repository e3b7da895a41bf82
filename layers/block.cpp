// Chains norms, attention and MLP, and gives each random draw of training a stream of its own.
#include "layers/block.h"

#include "autograd/ops.h"
#include "layers/mlp.h"

namespace shiftadd::layers {

namespace {

// Starts as ones: a network that is trained from scratch learns how small they are to be.
struct LayerScale : Module {
  LayerScale(const std::string& name, int64_t width) {
    factors = add_parameter(name, Tensor::full({width}, 1));
  }
  Variable factors;
};

}  // namespace

Block::Block(const BlockSpec& spec, int64_t index, const ShiftAddSpec& options, Random& random)
    : index_(index), post_norm_(spec.post_norm) {
  const auto scale = [&](const std::string& name, auto* layer) {
    if (!name.empty())
      layer->scale_output(add_module(std::make_unique<LayerScale>(name, spec.width))->factors);
  };
  norm1_ = add_module(std::make_unique<LayerNorm>(spec.norm1));
  attn_ = add_module(std::make_unique<Attention>(spec, options, random));
  scale(spec.scale1, attn_);
  norm2_ = add_module(std::make_unique<LayerNorm>(spec.norm2));
  mlp_ = add_module(make_mlp(spec.mlp, spec.grid, options, random));
  scale(spec.scale2, mlp_);
}

uint64_t Block::stream(const Context& context, uint64_t which) const {
  return stream_of(context.stream, index_, which);
}

Pass Block::attention_pass(const Context& context) const {
  Pass pass;
  pass.routings = context.routings;
  pass.traces = context.traces;
  if (context.training) {
    pass.seed = context.seed;
    pass.router_noise = context.router_noise;
    pass.code_slope = context.code_slope;
    pass.noise_stream = stream(context, 6);
  }
  return pass;
}

Variable Block::attend(const Variable& normed, int64_t queries, const Context& context) const {
  return attn_->apply(normed, queries, {}, attention_pass(context));
}

Variable Block::forward(const Variable& x, const Context& context, double dropout, double drop_path,
                        int64_t answers) const {
  Branch attention_branch, mlp_branch;
  Pass mlp_pass;
  mlp_pass.routings = context.routings;
  if (context.training) {
    attention_branch = {dropout, drop_path, context.seed, stream(context, 1), stream(context, 2)};
    mlp_branch = {dropout, drop_path, context.seed, stream(context, 3), stream(context, 4)};
    mlp_pass.seed = context.seed;
    mlp_pass.router_noise = context.router_noise;
    mlp_pass.dropout = dropout;
    mlp_pass.dropout_stream = stream(context, 5);
    mlp_pass.noise_stream = stream(context, 7);
  }
  const auto normed = [](const LayerNorm* norm, bool here, const Variable& tokens) {
    return here ? norm->forward(tokens) : tokens;
  };
  const Variable residual = answers < x.dim(1) ? autograd::take_tokens(x, 0, answers) : x;
  Variable y = attn_->forward(normed(norm1_, !post_norm_, x), residual, attention_branch,
                              attention_pass(context));
  y = normed(norm1_, post_norm_, y);
  const Variable in = normed(norm2_, !post_norm_, y);
  const Variable z = mlp_branch.plain() ? mlp_->forward(in, y, mlp_pass)
                                        : mlp_branch.add(y, mlp_->forward(in, {}, mlp_pass));
  return normed(norm2_, post_norm_, z);
}

}  // namespace shiftadd::layers
