// What the losses share: the kernel computes loss and gradient in one sweep.
#pragma once

#include "autograd/variable.h"

namespace shiftadd::autograd {

/// Mean over rows of -sum target log_softmax(logits), rows weighted by `weight` (rows) or
/// undefined.
Variable weighted_cross_entropy(const char* op, const Variable& logits, const Tensor& target,
                                const Tensor& weight);

/// Records a scalar loss whose gradient (undefined when nothing is recorded) is already known.
Variable record_loss(const char* op, Tensor loss, const Variable& logits, const Tensor& dlogits);

}  // namespace shiftadd::autograd
