// A pre-norm transformer block: x += attn(norm1 x), x += mlp(norm2 x).
#pragma once

#include "core/model/model_spec.h"
#include "layers/attention.h"
#include "layers/mlp.h"

namespace shiftadd::layers {

class Block : public Module {
 public:
  Block(const ModelSpec& spec, Random& random);
  /// x (B, N, C) -> (B, N, C), or, with class_token_only, (B, 1, C): the last block, whose other
  /// rows nobody reads. `index` separates this block's random draws from the others'.
  Variable forward(const Variable& x, const Context& context, int64_t index, double dropout,
                   double drop_path, bool class_token_only) const;

 private:
  LayerNorm* norm1_;
  Attention* attn_;
  LayerNorm* norm2_;
  Mlp* mlp_;
};

}  // namespace shiftadd::layers
