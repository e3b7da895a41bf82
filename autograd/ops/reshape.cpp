// Gives the same memory another shape.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable reshape(const Variable& x, Shape shape) {
  check_defined("reshape", "input", x);
  return make_result("reshape", x.value().reshape(std::move(shape)), {x},
                     [before = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
                       return {dy.reshape(before)};
                     });
}

}  // namespace shiftadd::autograd
