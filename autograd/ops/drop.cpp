// Applies the drop kernel to a tensor and, with the same mask, to the gradient on its way back.
#include "autograd/ops/drop.h"

#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable drop(const char* op, const Variable& x, double probability, int64_t group, uint64_t seed,
              uint64_t stream) {
  if (!(probability >= 0 && probability < 1))
    throw user_error("[", op, "] probability is ", probability, ": expected 0 <= probability < 1");
  if (probability == 0) return x;
  // The operation is linear and its mask a function of (seed, stream): forward and backward are one
  // call.
  const auto apply = [group, keep = 1 - probability, seed, stream](const Tensor& from,
                                                                   const Tensor& to) {
    dispatch(from.dtype(), [&]<class T>() {
      kernels<T>().drop({from.numel(), group, keep, seed, stream, from.data<T>(), to.data<T>()});
    });
  };
  const Tensor y(x.shape(), x.dtype());
  apply(x.value(), y);
  return make_result(op, y, {x}, [apply](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = reuse(dy);
    apply(dy, dx);
    return {dx};
  });
}

}  // namespace shiftadd::autograd
