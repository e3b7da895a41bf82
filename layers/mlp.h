// The two-layer perceptron of a transformer block.
#pragma once

#include "layers/linear.h"

namespace shiftadd::layers {

class Mlp : public TokenLayer {
 public:
  Mlp(int64_t width, int64_t hidden, bool shift, const ShiftAddSpec& options, Random& random);
  /// residual + fc2(gelu(fc1(x))); x and residual (..., C).
  Variable forward(const Variable& x, const Variable& residual, const Pass& pass) const override;

 private:
  Projection *fc1_, *fc2_;
};

}  // namespace shiftadd::layers
