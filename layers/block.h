// A pre-norm transformer block: x += attn(norm1 x), x += mlp(norm2 x).
#pragma once

#include "core/model/model_spec.h"
#include "layers/attention.h"
#include "layers/linear.h"

namespace shiftadd::layers {

class Block : public Module {
 public:
  /// Block `index` of the network.
  Block(const ModelSpec& spec, int64_t index, Random& random);
  /// x (B, N, C) -> (B, N, C), or, with class_token_only, (B, 1, C): the last block, whose other
  /// rows nobody reads.
  Variable forward(const Variable& x, const Context& context, double dropout, double drop_path,
                   bool class_token_only) const;

 private:
  int64_t index_;  // separates this block's random draws from the others'
  LayerNorm* norm1_;
  Attention* attn_;
  LayerNorm* norm2_;
  TokenLayer* mlp_;
};

}  // namespace shiftadd::layers
