// See block.h.
#include "layers/block.h"

#include "autograd/ops.h"

namespace shiftadd::layers {

Block::Block(const ModelSpec& spec, Random& random)
    : norm1_(add_module("norm1", std::make_unique<LayerNorm>(spec.width, spec.norm_eps))),
      attn_(add_module("attn", std::make_unique<Attention>(spec.width, spec.heads, random))),
      norm2_(add_module("norm2", std::make_unique<LayerNorm>(spec.width, spec.norm_eps))),
      mlp_(add_module("mlp", std::make_unique<Mlp>(spec.width, spec.mlp_hidden, random))) {}

Variable Block::forward(const Variable& x, const Context& context, int64_t index, double dropout,
                        double drop_path, bool class_token_only) const {
  Branch attention_branch, mlp_branch;
  uint64_t hidden_stream = 0;
  if (context.training) {
    const auto stream = [&](uint64_t which) { return stream_of(context.stream, index, which); };
    attention_branch = {dropout, drop_path, context.seed, stream(1), stream(2)};
    mlp_branch = {dropout, drop_path, context.seed, stream(3), stream(4)};
    hidden_stream = stream(5);
  }
  Variable residual = x;
  if (class_token_only)
    residual = autograd::reshape(autograd::select_token(x, 0), {x.dim(0), 1, x.dim(2)});
  const Variable y = attn_->forward(norm1_->forward(x), residual, attention_branch);
  return mlp_->forward(norm2_->forward(y), y, mlp_branch, hidden_stream);
}

}  // namespace shiftadd::layers
