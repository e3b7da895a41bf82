// See attention.h.
#include "layers/attention.h"

#include "autograd/ops.h"

namespace shiftadd::layers {

Attention::Attention(int64_t width, int64_t heads, Random& random)
    : heads_(heads),
      qkv_(add_module("qkv", std::make_unique<Linear>(width, 3 * width, random))),
      proj_(add_module("proj", std::make_unique<Linear>(width, width, random))) {}

Variable Attention::forward(const Variable& x, const Variable& residual,
                            const Branch& branch) const {
  const Variable attended = autograd::softmax_attention(qkv_->forward(x), heads_, residual.dim(1));
  if (branch.plain()) return proj_->forward(attended, residual);
  return branch.add(residual, proj_->forward(attended));
}

}  // namespace shiftadd::layers
