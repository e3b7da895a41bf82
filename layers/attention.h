// Multi-head self-attention: softmax, or ShiftAddViT's forms on codes.
#pragma once

#include "core/random.h"
#include "layers/residual.h"
#include "layers/token_layer.h"
#include "model/network.h"

namespace shiftadd::layers {

class Attention : public Module {
 public:
  /// That of `block`; `options`: those of all blocks.
  Attention(const BlockSpec& block, const ShiftAddSpec& options, Random& random);
  /// proj(attention(x (B, N, C))) where the first `queries` tokens ask (autograd::kAllQueries:
  /// all), plus residual (B, queries, C) where it is defined.
  Variable apply(const Variable& x, int64_t queries, const Variable& residual,
                 const Pass& pass) const;
  /// residual (B, Q, C) + branch(apply(x, Q)).
  Variable forward(const Variable& x, const Variable& residual, const Branch& branch,
                   const Pass& pass) const;

 private:
  Variable attend(const Variable& projected, int64_t queries, double code_slope) const;

  AttentionSpec spec_;
  ShiftAddSpec options_;
  int64_t grid_;
  TokenLayer *qkv_, *proj_;
  Variable local_;  // linear attention's filter of v, or undefined
};

}  // namespace shiftadd::layers
