// Takes one row of the token axis.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable select_token(const Variable& x, int64_t index) {
  check_rank("select_token", "input", x, 3);
  const int64_t batch = x.dim(0), tokens = x.dim(1), channels = x.dim(2);
  if (index < 0 || index >= tokens)
    throw user_error("[select_token] index is ", index, ", input is ", x.shape(), ": expected 0..",
                     tokens - 1);
  Tensor y({batch, channels}, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    for (int64_t b = 0; b < batch; ++b)
      std::copy_n(x.value().data<T>() + (b * tokens + index) * channels, channels,
                  y.data<T>() + b * channels);
  });
  return make_result("select_token", std::move(y), {x},
                     [shape = x.shape(), index](const Tensor& dy) -> std::vector<Tensor> {
                       const Tensor dx = Tensor::zeros(shape, dy.dtype());
                       const int64_t tokens = shape[1], channels = shape[2];
                       dispatch(dy.dtype(), [&]<class T>() {
                         for (int64_t b = 0; b < shape[0]; ++b)
                           std::copy_n(dy.data<T>() + b * channels, channels,
                                       dx.data<T>() + (b * tokens + index) * channels);
                       });
                       return {dx};
                     });
}

}  // namespace shiftadd::autograd
