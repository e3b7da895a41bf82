// Linear and LayerNorm: the layers every block is made of.
#pragma once

#include "core/random.h"
#include "layers/module.h"

namespace shiftadd::layers {

/// Normal numbers of standard deviation 0.02. (timm truncates at +-2, a hundred deviations away.)
Tensor normal_weights(Shape shape, Random& random);

class Linear : public Module {
 public:
  /// weight (out, in) as normal_weights, bias (out) zero.
  Linear(int64_t in, int64_t out, Random& random);
  /// (..., in) -> (..., out), plus residual (..., out) where given, added inside the product.
  Variable forward(const Variable& x, const Variable& residual = {}) const;
  /// forward(gelu(x)) without keeping gelu(x).
  Variable forward_gelu(const Variable& x, const Variable& residual = {}) const;

 private:
  Variable weight_, bias_;
};

class LayerNorm : public Module {
 public:
  LayerNorm(int64_t width, double eps);
  Variable forward(const Variable& x) const;

 private:
  double eps_;
  Variable weight_, bias_;
};

}  // namespace shiftadd::layers
