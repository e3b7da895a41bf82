// The two-layer perceptron of a transformer block.
#pragma once

#include "layers/linear.h"
#include "layers/residual.h"

namespace shiftadd::layers {

class Mlp : public Module {
 public:
  Mlp(int64_t width, int64_t hidden, Random& random);
  /// residual + branch(fc2(gelu(fc1(x)))); x and residual (B, N, C). `dropout_stream` draws the
  /// hidden layer's dropout.
  Variable forward(const Variable& x, const Variable& residual, const Branch& branch,
                   uint64_t dropout_stream) const;

 private:
  Linear *fc1_, *fc2_;
};

}  // namespace shiftadd::layers
