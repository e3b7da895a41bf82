// Multiplies a tensor by a number.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable scale(const Variable& x, double alpha) {
  check_defined("scale", "input", x);
  Tensor y(x.shape(), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    kernels<T>().scale({y.numel(), alpha, x.value().data<T>(), y.data<T>()});
  });
  return make_result("scale", std::move(y), {x}, [alpha](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = reuse(dy);
    dispatch(dy.dtype(), [&]<class T>() {
      kernels<T>().scale({dx.numel(), alpha, dy.data<T>(), dx.data<T>()});
    });
    return {dx};
  });
}

}  // namespace shiftadd::autograd
