// Adds two tensors of one shape.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable add(const Variable& a, const Variable& b) {
  check_defined("add", "a", a);
  check_defined("add", "b", b);
  check_same_dtype("add", a, {b});
  check_shape("add", "b", b.shape(), a.shape());
  Tensor y(a.shape(), a.dtype());
  dispatch(a.dtype(), [&]<class T>() {
    kernels<T>().add({y.numel(), a.value().data<T>(), b.value().data<T>(), y.data<T>()});
  });
  return make_result("add", std::move(y), {a, b}, [](const Tensor& dy) -> std::vector<Tensor> {
    return {dy, dy};
  });
}

}  // namespace shiftadd::autograd
