// Multiplies two tensors element by element.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable multiply(const Variable& a, const Variable& b) {
  check_defined("multiply", "a", a);
  check_defined("multiply", "b", b);
  check_same_dtype("multiply", a, {b});
  check_shape("multiply", "b", b.shape(), a.shape());
  Tensor y(a.shape(), a.dtype());
  dispatch(a.dtype(), [&]<class T>() {
    kernels<T>().multiply({y.numel(), a.value().data<T>(), b.value().data<T>(), y.data<T>()});
  });
  return make_result(
      "multiply", std::move(y), {a, b},
      [kept_a = wants_gradient(b) ? a.value() : Tensor(),
       kept_b = wants_gradient(a) ? b.value() : Tensor()](const Tensor& dy) -> std::vector<Tensor> {
        Tensor da, db;
        dispatch(dy.dtype(), [&]<class T>() {
          if (kept_b.defined()) {
            da = Tensor(dy.shape(), dy.dtype());
            kernels<T>().multiply({dy.numel(), dy.data<T>(), kept_b.data<T>(), da.data<T>()});
          }
          if (kept_a.defined()) {
            db = reuse(dy);
            kernels<T>().multiply({dy.numel(), dy.data<T>(), kept_a.data<T>(), db.data<T>()});
          }
        });
        return {da, db};
      });
}

}  // namespace shiftadd::autograd
