// Chains norms, attention and MLP, and gives each random draw of training a stream of its own.
#include "layers/block.h"

#include "autograd/ops.h"
#include "layers/mlp.h"

namespace shiftadd::layers {

Block::Block(const BlockSpec& spec, int64_t index, const ShiftAddSpec& options, Random& random)
    : index_(index),
      norm1_(add_module(std::make_unique<LayerNorm>(spec.norm1))),
      attn_(add_module(std::make_unique<Attention>(spec, options, random))),
      norm2_(add_module(std::make_unique<LayerNorm>(spec.norm2))),
      mlp_(add_module(make_mlp(spec.mlp, spec.grid, options, random))) {}

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
                        bool class_token_only) const {
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
  Variable residual = x;
  if (class_token_only)
    residual = autograd::reshape(autograd::select_token(x, 0), {x.dim(0), 1, x.dim(2)});
  const Variable y =
      attn_->forward(norm1_->forward(x), residual, attention_branch, attention_pass(context));
  const Variable normed = norm2_->forward(y);
  if (mlp_branch.plain()) return mlp_->forward(normed, y, mlp_pass);
  return mlp_branch.add(y, mlp_->forward(normed, {}, mlp_pass));
}

}  // namespace shiftadd::layers
