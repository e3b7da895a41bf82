// Adds b to a, repeated over a's leading axes.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable add_broadcast(const Variable& a, const Variable& b) {
  check_defined("add_broadcast", "a", a);
  check_defined("add_broadcast", "b", b);
  check_same_dtype("add_broadcast", a, {b});
  if (b.shape().size() > a.shape().size() ||
      !std::equal(b.shape().rbegin(), b.shape().rend(), a.shape().rbegin()))
    throw user_error("[add_broadcast] b is ", b.shape(), ", a is ", a.shape(),
                     ": expected b to be a suffix of a");
  const int64_t n = a.value().numel(), period = b.value().numel();
  Tensor y(a.shape(), a.dtype());
  dispatch(a.dtype(), [&]<class T>() {
    if (n)
      kernels<T>().add_broadcast(
          {n, period, a.value().data<T>(), b.value().data<T>(), y.data<T>()});
  });
  ParameterGradient db(b);
  return make_result("add_broadcast", std::move(y), {a, b},
                     [n, period, db](const Tensor& dy) mutable -> std::vector<Tensor> {
                       dispatch(dy.dtype(), [&]<class T>() {
                         if (db.wanted() && n)
                           kernels<T>().column_sum(
                               {n / period, period, dy.data<T>(), db.target().template data<T>()});
                       });
                       return {dy, db.result()};
                     });
}

}  // namespace shiftadd::autograd
