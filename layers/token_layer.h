// What every layer of a block that works token by token has in common.
#pragma once

#include <vector>

#include "autograd/mixture.h"
#include "layers/module.h"

namespace shiftadd::layers {

/// What a layer needs in one forward pass besides its tokens; the defaults are evaluation's.
struct Pass {
  double dropout = 0;                       // of an MLP's hidden values
  double router_noise = 0, code_slope = 0;  // as Context's
  uint64_t seed = 0, dropout_stream = 0, noise_stream = 0;
  /// Where routers leave what they decided, or null.
  std::vector<autograd::Routing>* routings = nullptr;
  std::vector<AttentionTrace>* traces = nullptr;  // where attention leaves its values, or null
};

class TokenLayer : public Module {
 public:
  /// x (..., C) -> (..., M), plus residual (..., M) where it is defined.
  virtual Variable forward(const Variable& x, const Variable& residual, const Pass& pass) const = 0;
  /// From now on what the layer makes is multiplied by `factors` (M), one a channel, before the
  /// residual joins.
  virtual void scale_output(const Variable& factors) = 0;
};

}  // namespace shiftadd::layers
