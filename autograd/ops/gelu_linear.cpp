// y = gelu(x) W^T + b (+ residual), keeping x alone: gelu is computed again in backward, which is
// cheaper than the memory of a second (..., hidden) activation.
#include "autograd/ops.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {
namespace {

// bf16 products take gelu of x while they round it, the others an x that went through it before.
Activation activation_of(const LinearShape& s) {
  return s.bf16 ? Activation::kGelu : Activation::kNone;
}
template <class T>
Tensor active_of(const LinearShape& s, const Tensor& x) {
  if (s.bf16) return x;
  Tensor y(x.shape(), x.dtype());
  kernels<T>().gelu({y.numel(), x.data<T>(), y.data<T>()});
  return y;
}

}  // namespace

Variable gelu_linear(const Variable& x, const Variable& weight, const Variable& bias,
                     const Variable& residual) {
  const LinearShape s = check_linear("gelu_linear", x, weight, bias, residual);
  Tensor y(output_shape(x, s.out), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    const Tensor active = active_of<T>(s, x.value());
    linear_forward<T>(s, active.data<T>(), weight.value(), bias.defined() ? bias.value() : Tensor(),
                      residual.defined() ? residual.value() : Tensor(), y.data<T>(), {},
                      activation_of(s));
  });
  ParameterGradient dw(weight), db(bias);
  return make_result(
      "gelu_linear", std::move(y), {x, weight, bias, residual},
      [s, dw, db, kept_x = dw.wanted() || wants_gradient(x) ? x.value() : Tensor(),
       kept_weight = wants_gradient(x) ? weight.value() : Tensor(),
       pass = wants_gradient(residual)](const Tensor& dy) mutable -> std::vector<Tensor> {
        Tensor dx;
        dispatch(dy.dtype(), [&]<class T>() {
          Tensor active;
          if (dw.wanted()) active = active_of<T>(s, kept_x);
          linear_parameter_gradients<T>(s, pointer<T>(active), dy.data<T>(), dw.target(),
                                        db.target(), activation_of(s));
          if (!kept_weight.defined()) return;
          dx = active.defined() && !s.bf16 ? std::move(active)
                                           : Tensor(kept_x.shape(), kept_x.dtype());
          linear_input_gradient<T>(s, dy.data<T>(), kept_weight, dx.data<T>(), kept_x.data<T>());
        });
        return {dx, dw.result(), db.result(), pass ? dy : Tensor()};
      });
}

}  // namespace shiftadd::autograd
