// Subtracts one tensor from another of its shape.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable subtract(const Variable& a, const Variable& b) {
  check_defined("subtract", "a", a);
  check_defined("subtract", "b", b);
  check_same_dtype("subtract", a, {b});
  check_shape("subtract", "b", b.shape(), a.shape());
  Tensor y = a.value().clone();
  dispatch(a.dtype(), [&]<class T>() {
    kernels<T>().scale({y.numel(), -1, b.value().data<T>(), y.data<T>(), true});
  });
  return make_result("subtract", std::move(y), {a, b},
                     [wanted = wants_gradient(b)](const Tensor& dy) -> std::vector<Tensor> {
                       if (!wanted) return {dy};
                       const Tensor db(dy.shape(), dy.dtype());
                       dispatch(dy.dtype(), [&]<class T>() {
                         kernels<T>().scale({db.numel(), -1, dy.data<T>(), db.data<T>()});
                       });
                       return {dy, db};
                     });
}

}  // namespace shiftadd::autograd
