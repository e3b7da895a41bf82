// Applies fc1, GELU, dropout and fc2; without dropout, fc2 computes GELU itself.
#include "layers/mlp.h"

#include "autograd/ops.h"

namespace shiftadd::layers {

Mlp::Mlp(int64_t width, int64_t hidden, bool shift, const ShiftAddSpec& options, Random& random)
    : fc1_(add_module("fc1", make_projection(shift, width, hidden, options, random))),
      fc2_(add_module("fc2", make_projection(shift, hidden, width, options, random))) {}

Variable Mlp::forward(const Variable& x, const Variable& residual, const Pass& pass) const {
  const Variable hidden = fc1_->apply(x, Activation::kNone, {});
  if (pass.dropout == 0) return fc2_->apply(hidden, Activation::kGelu, residual);
  const Variable kept =
      autograd::dropout(autograd::gelu(hidden), pass.dropout, pass.seed, pass.dropout_stream);
  return fc2_->apply(kept, Activation::kNone, residual);
}

}  // namespace shiftadd::layers
