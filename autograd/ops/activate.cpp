// What lies between the two layers of an MLP, of each kind.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable activate(const Variable& x, HiddenActivation kind) {
  check_min_rank("activate", "input", x, 1);
  const int64_t inputs = inputs_of(kind);
  if (x.dim(-1) % inputs)
    throw user_error("[activate] input is ", x.shape(), ": expected a last dimension divisible by ",
                     inputs);
  const int64_t rows = rows_of(x.value()), width = x.dim(-1) / inputs;
  Shape shape = x.shape();
  shape.back() = width;
  Tensor y(shape, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    if (y.numel()) kernels<T>().activation({kind, rows, width, x.value().data<T>(), y.data<T>()});
  });
  return make_result("activate", std::move(y), {x},
                     [=, kept_x = x.value()](const Tensor& dy) -> std::vector<Tensor> {
                       const Tensor dx =
                           inputs == 1 ? reuse(dy) : Tensor(kept_x.shape(), kept_x.dtype());
                       dispatch(dy.dtype(), [&]<class T>() {
                         if (dy.numel())
                           kernels<T>().activation_backward(
                               {kind, rows, width, kept_x.data<T>(), dy.data<T>(), dx.data<T>()});
                       });
                       return {dx};
                     });
}

}  // namespace shiftadd::autograd
