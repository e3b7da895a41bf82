// A mixture of two primitives: a router sends each token to a layer that multiplies or to one that
// shifts (You et al. 2023, arXiv 2306.06446, section 4.3).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "layers/linear.h"

namespace shiftadd::layers {

/// Makes the layer of a name that multiplies or shifts.
using MakeLayer = std::function<std::unique_ptr<TokenLayer>(const std::string& name, bool shift)>;

class Mixture : public TokenLayer {
 public:
  /// Parameters of name_of_router(name), (2, width), unless the split is fixed, and of the experts,
  /// each a name_of_expert(name, i).
  Mixture(const std::string& name, int64_t width, GateKind gate, Random& random,
          const MakeLayer& make);
  /// x and residual (..., C). Each token goes through one expert; the routing is left in
  /// pass.routings.
  Variable forward(const Variable& x, const Variable& residual, const Pass& pass) const override;
  void scale_output(const Variable& factors) override { factors_ = factors; }

 private:
  autograd::Routing route(const Variable& x, const Pass& pass) const;

  autograd::Gate gate_;
  Linear* router_;  // null for a fixed split
  TokenLayer* experts_[2];
  Variable factors_;  // may be undefined
};

/// The layer of this kind, on tokens of `width`.
std::unique_ptr<TokenLayer> make_token_layer(const std::string& name, LayerKind kind, int64_t width,
                                             GateKind gate, Random& random, const MakeLayer& make);
/// The linear layer of a description; `options`: those of all blocks.
std::unique_ptr<TokenLayer> make_linear_layer(const LinearSpec& spec, const ShiftAddSpec& options,
                                              Random& random);

}  // namespace shiftadd::layers
