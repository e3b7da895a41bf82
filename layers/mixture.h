// A mixture of two primitives: a router sends each token to a layer that multiplies or to one that
// shifts (You et al. 2023, arXiv 2306.06446, section 4.3).
#pragma once

#include <functional>

#include "layers/linear.h"

namespace shiftadd::layers {

class Mixture : public TokenLayer {
 public:
  /// Parameters "router.*" (2, width) unless the split is fixed, "experts.0.*" (multiply),
  /// "experts.1.*" (shift); make(shift) makes an expert.
  Mixture(int64_t width, GateKind gate, Random& random,
          const std::function<std::unique_ptr<TokenLayer>(bool shift)>& make);
  /// x and residual (..., C). Each token goes through one expert; the routing is left in
  /// pass.routings.
  Variable forward(const Variable& x, const Variable& residual, const Pass& pass) const override;

 private:
  autograd::Routing route(const Variable& x, const Pass& pass) const;

  autograd::Gate gate_;
  Linear* router_;  // null for a fixed split
  TokenLayer* experts_[2];
};

/// The layer of this kind: make(shift) makes one that multiplies or shifts, on tokens of `width`.
std::unique_ptr<TokenLayer> make_token_layer(
    LayerKind kind, int64_t width, GateKind gate, Random& random,
    const std::function<std::unique_ptr<TokenLayer>(bool shift)>& make);

}  // namespace shiftadd::layers
