// Calls the cross-entropy kernel, and records a loss whose backward only scales a known gradient.
#include "autograd/ops/loss.h"

#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable record_loss(const char* op, Tensor loss, const Variable& logits, const Tensor& dlogits) {
  return make_result(
      op, std::move(loss), {logits}, [dlogits](const Tensor& dloss) -> std::vector<Tensor> {
        const Tensor dx(dlogits.shape(), dlogits.dtype());
        dispatch(dlogits.dtype(), [&]<class T>() {
          kernels<T>().scale(
              {dx.numel(), static_cast<double>(*dloss.data<T>()), dlogits.data<T>(), dx.data<T>()});
        });
        return {dx};
      });
}

Variable weighted_cross_entropy(const char* op, const Variable& logits, const Tensor& target,
                                const Tensor& weight) {
  const int64_t rows = logits.dim(0), classes = logits.dim(1);
  if (rows < 1 || classes < 1)
    throw user_error("[", op, "] logits are ", logits.shape(),
                     ": expected at least one row and one class");
  Tensor loss({}, logits.dtype());
  const Tensor dlogits = will_record({logits}) ? Tensor(logits.shape(), logits.dtype()) : Tensor();
  dispatch(logits.dtype(), [&]<class T>() {
    kernels<T>().cross_entropy({rows, classes, logits.value().data<T>(), target.data<T>(),
                                pointer<T>(weight), loss.data<T>(), pointer<T>(dlogits)});
  });
  return record_loss(op, std::move(loss), logits, dlogits);
}

}  // namespace shiftadd::autograd
