// See mlp.h.
#include "layers/mlp.h"

#include "autograd/ops.h"

namespace shiftadd::layers {

Mlp::Mlp(int64_t width, int64_t hidden, Random& random)
    : fc1_(add_module("fc1", std::make_unique<Linear>(width, hidden, random))),
      fc2_(add_module("fc2", std::make_unique<Linear>(hidden, width, random))) {}

Variable Mlp::forward(const Variable& x, const Variable& residual, const Branch& branch,
                      uint64_t dropout_stream) const {
  if (branch.dropout > 0) {
    const Variable hidden = autograd::dropout(autograd::gelu(fc1_->forward(x)), branch.dropout,
                                              branch.seed, dropout_stream);
    return branch.add(residual, fc2_->forward(hidden));
  }
  if (branch.plain()) return fc2_->forward_gelu(fc1_->forward(x), residual);
  return branch.add(residual, fc2_->forward_gelu(fc1_->forward(x)));
}

}  // namespace shiftadd::layers
