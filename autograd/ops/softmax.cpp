// Computes softmax over the last axis.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable softmax(const Variable& x) {
  check_min_rank("softmax", "input", x, 1);
  const int64_t rows = rows_of(x.value()), columns = x.dim(-1);
  const Tensor y(x.shape(), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    kernels<T>().softmax({rows, columns, x.value().data<T>(), y.data<T>()});
  });
  return make_result(
      "softmax", y, {x}, [rows, columns, y](const Tensor& dy) -> std::vector<Tensor> {
        const Tensor dx = reuse(dy);
        dispatch(dy.dtype(), [&]<class T>() {
          kernels<T>().softmax_backward({rows, columns, y.data<T>(), dy.data<T>(), dx.data<T>()});
        });
        return {dx};
      });
}

}  // namespace shiftadd::autograd
