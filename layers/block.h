// A transformer block: x += attn(norm1 x), x += mlp(norm2 x), or with its norms behind the sums.
#pragma once

#include "layers/attention.h"
#include "layers/linear.h"
#include "model/network.h"

namespace shiftadd::layers {

class Block : public Module {
 public:
  /// Block `index` of the network; `options`: those of all blocks.
  Block(const BlockSpec& spec, int64_t index, const ShiftAddSpec& options, Random& random);
  /// x (B, N, C) -> (B, answers, C), the first tokens alone: of the last block nobody reads the
  /// others.
  Variable forward(const Variable& x, const Context& context, double dropout, double drop_path,
                   int64_t answers) const;
  /// The attention alone: normed (B, N, C), what norm1 gave -> (B, queries, C), what forward adds
  /// to x before dropout and drop path.
  Variable attend(const Variable& normed, int64_t queries, const Context& context) const;

 private:
  Pass attention_pass(const Context& context) const;
  uint64_t stream(const Context& context, uint64_t which) const;

  int64_t index_;  // separates this block's random draws from the others'
  bool post_norm_;
  LayerNorm* norm1_;
  Attention* attn_;
  LayerNorm* norm2_;
  TokenLayer* mlp_;
};

}  // namespace shiftadd::layers
