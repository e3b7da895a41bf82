// Codes of queries and keys with their straight-through estimators (Bengio et al. 2013).
#include "autograd/ops.h"
#include "autograd/ops/attention_inputs.h"

namespace shiftadd::autograd {

Variable attention_codes(const Variable& x, int64_t heads, Codes codes) {
  check_rank("attention_codes", "x", x, 3);
  check_heads("attention_codes", heads, x.dim(2), x.shape());
  const int64_t batch = x.dim(0), tokens = x.dim(1), d = x.dim(2) / heads;
  const Tensor y(x.shape(), x.dtype());
  Tensor thresholds;
  if (is_unit(codes)) thresholds = Tensor({batch, heads}, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    kernels<T>().attention_codes(
        {batch, tokens, heads, d, codes, x.value().data<T>(), pointer<T>(thresholds), y.data<T>()});
  });
  return make_result(
      "attention_codes", y, {x}, [=, kept = x.value()](const Tensor& dy) -> std::vector<Tensor> {
        Tensor dx = reuse(dy);
        dispatch(dy.dtype(), [&]<class T>() {
          kernels<T>().attention_codes_backward(
              {batch, tokens, heads, d, codes, kept.data<T>(), dy.data<T>(), dx.data<T>()});
        });
        return {dx};
      });
}

}  // namespace shiftadd::autograd
