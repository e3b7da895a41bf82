// Takes some rows of the token axis that follow each other.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"

namespace shiftadd::autograd {

Variable take_tokens(const Variable& x, int64_t first, int64_t count) {
  check_rank("take_tokens", "input", x, 3);
  const int64_t batch = x.dim(0), tokens = x.dim(1), channels = x.dim(2);
  if (first < 0 || count < 1 || first > tokens - count)
    throw user_error("[take_tokens] ", count, " tokens from ", first, " on, input is ", x.shape(),
                     ": expected some of 0..", tokens - 1);
  const int64_t begin = first * channels, taken = count * channels, all = tokens * channels;
  Tensor y({batch, count, channels}, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    const T* source = x.value().data<T>();
    T* target = y.data<T>();
    parallel_for(batch, [&](int64_t b) {
      std::copy_n(source + b * all + begin, taken, target + b * taken);
    });
  });
  return make_result("take_tokens", std::move(y), {x},
                     [=, shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
                       const Tensor dx = Tensor::zeros(shape, dy.dtype());
                       dispatch(dy.dtype(), [&]<class T>() {
                         const T* g = dy.data<T>();
                         T* target = dx.data<T>();
                         parallel_for(batch, [&](int64_t b) {
                           std::copy_n(g + b * taken, taken, target + b * all + begin);
                         });
                       });
                       return {dx};
                     });
}

}  // namespace shiftadd::autograd
