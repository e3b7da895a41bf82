// Cross entropy of target distributions.
#include "autograd/ops.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable soft_cross_entropy(const Variable& logits, const Tensor& targets) {
  check_rank("soft_cross_entropy", "logits", logits, 2);
  if (!targets.defined()) throw user_error("[soft_cross_entropy] targets are undefined");
  check_shape("soft_cross_entropy", "targets", targets.shape(), logits.shape());
  return weighted_cross_entropy("soft_cross_entropy", logits, targets.to(logits.dtype()), {});
}

}  // namespace shiftadd::autograd
