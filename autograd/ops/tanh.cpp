// The hyperbolic tangent, whose backward reads its result alone.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable tanh(const Variable& x) {
  check_defined("tanh", "input", x);
  Tensor y(x.shape(), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    kernels<T>().tanh({y.numel(), x.value().data<T>(), y.data<T>()});
  });
  return make_result("tanh", y, {x}, [y](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = reuse(dy);
    dispatch(dy.dtype(), [&]<class T>() {
      kernels<T>().tanh_backward({dx.numel(), y.data<T>(), dy.data<T>(), dx.data<T>()});
    });
    return {dx};
  });
}

}  // namespace shiftadd::autograd
