// Multi-head softmax self-attention.
#pragma once

#include "layers/linear.h"
#include "layers/residual.h"

namespace shiftadd::layers {

class Attention : public Module {
 public:
  Attention(int64_t width, int64_t heads, Random& random);
  /// residual (B, Q, C) + branch(proj(attention(x (B, N, C)))), where the first Q tokens ask.
  Variable forward(const Variable& x, const Variable& residual, const Branch& branch) const;

 private:
  int64_t heads_;
  Linear *qkv_, *proj_;
};

}  // namespace shiftadd::layers
