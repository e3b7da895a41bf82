// gelu(x) = x/2 (1 + erf(x / sqrt 2)) (Hendrycks and Gimpel 2016), exact form.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable gelu(const Variable& x) {
  check_defined("gelu", "input", x);
  Tensor y(x.shape(), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    kernels<T>().gelu({y.numel(), x.value().data<T>(), y.data<T>()});
  });
  return make_result(
      "gelu", std::move(y), {x}, [kept_x = x.value()](const Tensor& dy) -> std::vector<Tensor> {
        const Tensor dx = reuse(dy);
        dispatch(dy.dtype(), [&]<class T>() {
          kernels<T>().gelu_backward({dx.numel(), kept_x.data<T>(), dy.data<T>(), dx.data<T>()});
        });
        return {dx};
      });
}

}  // namespace shiftadd::autograd
