// Normalises over the last axis (Ba, Kiros, Hinton 2016).
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, double eps) {
  check_min_rank("layer_norm", "input", x, 1);
  check_defined("layer_norm", "gamma", gamma);
  check_defined("layer_norm", "beta", beta);
  check_same_dtype("layer_norm", x, {gamma, beta});
  const int64_t rows = rows_of(x.value()), columns = x.dim(-1);
  check_shape("layer_norm", "gamma", gamma.shape(), {columns});
  check_shape("layer_norm", "beta", beta.shape(), {columns});
  if (!(eps > 0)) throw user_error("[layer_norm] eps is ", eps, ": expected a positive number");

  Tensor y(x.shape(), x.dtype()), mean, rstd;
  if (will_record({x, gamma, beta})) {
    mean = Tensor({rows}, x.dtype());
    rstd = Tensor({rows}, x.dtype());
  }
  dispatch(x.dtype(), [&]<class T>() {
    kernels<T>().layer_norm({rows, columns, eps, x.value().data<T>(), gamma.value().data<T>(),
                             beta.value().data<T>(), y.data<T>(), pointer<T>(mean),
                             pointer<T>(rstd)});
  });
  ParameterGradient dgamma(gamma), dbeta(beta);
  // x is the residual stream's own tensor: kept by reference, not copied.
  return make_result(
      "layer_norm", std::move(y), {x, gamma, beta},
      [rows, columns, mean, rstd, dgamma, dbeta, kept_x = x.value(), kept_gamma = gamma.value(),
       wanted = wants_gradient(x)](const Tensor& dy) mutable -> std::vector<Tensor> {
        // The residual branch's gradient has usually arrived already: it is added in the same
        // sweep.
        const Tensor residual = wanted ? take_pending(0) : Tensor();
        const Tensor dx = reuse(dy);
        dispatch(dy.dtype(), [&]<class T>() {
          kernels<T>().layer_norm_backward(
              {rows, columns, kept_x.data<T>(), kept_gamma.data<T>(), mean.data<T>(),
               rstd.data<T>(), dy.data<T>(), pointer<T>(residual), dx.data<T>(),
               pointer<T>(dgamma.target()), pointer<T>(dbeta.target())});
        });
        return {wanted ? dx : Tensor(), dgamma.result(), dbeta.result()};
      });
}

}  // namespace shiftadd::autograd
