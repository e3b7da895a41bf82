// Multi-head self-attention: softmax, or ShiftAddViT's forms on codes.
#pragma once

#include "core/random.h"
#include "layers/convolution.h"
#include "layers/linear.h"
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
  /// See TokenLayer.
  void scale_output(const Variable& factors) { proj_->scale_output(factors); }

 private:
  // What the tokens are projected to: q, k and v in one, or q, and k and v in another.
  struct Projected {
    Variable first, kv;
  };
  Projected project(const Variable& x, const Pass& pass) const;
  Variable attend(const Projected& projected, int64_t queries, double code_slope) const;
  Variable attend_on_codes(const Projected& projected, int64_t queries) const;
  Variable attend_linearly(const Projected& projected, int64_t queries) const;

  AttentionSpec spec_;
  Grid grid_;
  int64_t prefix_;                             // tokens before the patches
  TokenLayer *first_, *kv_ = nullptr, *proj_;  // first_: qkv, or q where there is kv_
  Convolution* reduction_ = nullptr;           // of what kv_ reads, or null
  LayerNorm* reduction_norm_ = nullptr;
  Variable local_;        // linear attention's filter of v, or undefined
  Variable temperature_;  // of scores on codes, or undefined
};

}  // namespace shiftadd::layers
