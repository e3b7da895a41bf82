// Rounds activations to int8, one scale per token, with a straight-through gradient.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable quantize_tokens(const Variable& x) {
  check_min_rank("quantize_tokens", "input", x, 1);
  if (x.dim(-1) < 1)
    throw user_error("[quantize_tokens] input is ", x.shape(), ": expected at least one channel");
  const int64_t rows = rows_of(x.value());
  Tensor y(x.shape(), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    const Tensor scales({rows}, x.dtype());
    kernels<T>().quantize_tokens(
        {rows, x.dim(-1), x.value().data<T>(), scales.data<T>(), nullptr, y.data<T>(), nullptr});
  });
  return make_result("quantize_tokens", std::move(y), {x},
                     [](const Tensor& dy) -> std::vector<Tensor> { return {dy}; });
}

}  // namespace shiftadd::autograd
