// Takes the mean of all elements.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable mean(const Variable& x) {
  check_defined("mean", "input", x);
  if (x.value().numel() == 0)
    throw user_error("[mean] input is ", x.shape(), ": expected at least one element");
  return scale(sum(x), 1.0 / static_cast<double>(x.value().numel()));
}

}  // namespace shiftadd::autograd
