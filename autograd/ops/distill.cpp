// Distils softly (Hinton, Vinyals, Dean 2015), averaged over all elements as DeiT does.
#include "autograd/ops.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable distill(const Variable& logits, const Tensor& teacher_logits, double tau) {
  check_rank("distill", "logits", logits, 2);
  if (!teacher_logits.defined()) throw user_error("[distill] the teacher's logits are undefined");
  check_shape("distill", "teacher's logits", teacher_logits.shape(), logits.shape());
  if (!(tau > 0)) throw user_error("[distill] tau is ", tau, ": expected a positive number");
  const int64_t rows = logits.dim(0), classes = logits.dim(1);
  if (rows < 1 || classes < 1)
    throw user_error("[distill] logits are ", logits.shape(),
                     ": expected at least one row and one class");
  const Tensor teacher = teacher_logits.to(logits.dtype());
  Tensor loss({}, logits.dtype());
  const Tensor dlogits = will_record({logits}) ? Tensor(logits.shape(), logits.dtype()) : Tensor();
  dispatch(logits.dtype(), [&]<class T>() {
    kernels<T>().distill({rows, classes, tau, logits.value().data<T>(), teacher.data<T>(),
                          loss.data<T>(), pointer<T>(dlogits)});
  });
  return record_loss("distill", std::move(loss), logits, dlogits);
}

}  // namespace shiftadd::autograd
