// Sums all elements.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable sum(const Variable& x) {
  check_defined("sum", "input", x);
  double total = 0;
  dispatch(x.dtype(), [&]<class T>() {
    kernels<T>().sum({x.value().numel(), x.value().data<T>(), &total});
  });
  return make_result("sum", Tensor::full({}, total, x.dtype()), {x},
                     [shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
                       Tensor dx(shape, dy.dtype());
                       dispatch(dy.dtype(), [&]<class T>() { dx.fill(*dy.data<T>()); });
                       return {dx};
                     });
}

}  // namespace shiftadd::autograd
