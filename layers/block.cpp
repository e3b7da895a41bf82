// See block.h.
#include "layers/block.h"

#include "autograd/ops.h"
#include "layers/mixture.h"
#include "layers/mlp.h"

namespace shiftadd::layers {

Block::Block(const ModelSpec& spec, int64_t index, Random& random)
    : index_(index),
      norm1_(add_module("norm1", std::make_unique<LayerNorm>(spec.width, spec.norm_eps))),
      attn_(add_module("attn", std::make_unique<Attention>(spec, spec.block(index), random))),
      norm2_(add_module("norm2", std::make_unique<LayerNorm>(spec.width, spec.norm_eps))),
      mlp_(add_module("mlp", make_token_layer(spec.block(index).mlp, spec.width,
                                              spec.shift_add.gate, random, [&](bool shift) {
                                                return std::make_unique<Mlp>(
                                                    spec.width, spec.mlp_hidden, shift,
                                                    spec.shift_add, random);
                                              }))) {}

Variable Block::forward(const Variable& x, const Context& context, double dropout, double drop_path,
                        bool class_token_only) const {
  Branch attention_branch, mlp_branch;
  Pass attention_pass, mlp_pass;
  attention_pass.routings = mlp_pass.routings = context.routings;
  attention_pass.traces = context.traces;
  if (context.training) {
    const auto stream = [&](uint64_t which) { return stream_of(context.stream, index_, which); };
    attention_branch = {dropout, drop_path, context.seed, stream(1), stream(2)};
    mlp_branch = {dropout, drop_path, context.seed, stream(3), stream(4)};
    attention_pass.seed = mlp_pass.seed = context.seed;
    attention_pass.router_noise = mlp_pass.router_noise = context.router_noise;
    attention_pass.noise_stream = stream(6);
    mlp_pass.dropout = dropout;
    mlp_pass.dropout_stream = stream(5);
    mlp_pass.noise_stream = stream(7);
  }
  Variable residual = x;
  if (class_token_only)
    residual = autograd::reshape(autograd::select_token(x, 0), {x.dim(0), 1, x.dim(2)});
  const Variable y = attn_->forward(norm1_->forward(x), residual, attention_branch, attention_pass);
  const Variable normed = norm2_->forward(y);
  if (mlp_branch.plain()) return mlp_->forward(normed, y, mlp_pass);
  return mlp_branch.add(y, mlp_->forward(normed, {}, mlp_pass));
}

}  // namespace shiftadd::layers
