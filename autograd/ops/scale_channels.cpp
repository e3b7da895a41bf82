// Multiplies each channel by a factor of its own and adds a residual (LayerScale).
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable scale_channels(const Variable& x, const Variable& factors, const Variable& residual) {
  check_min_rank("scale_channels", "input", x, 1);
  check_defined("scale_channels", "factors", factors);
  check_same_dtype("scale_channels", x, {factors, residual});
  check_shape("scale_channels", "factors", factors.shape(), {x.dim(-1)});
  if (residual.defined()) check_shape("scale_channels", "residual", residual.shape(), x.shape());
  const int64_t rows = rows_of(x.value()), columns = x.dim(-1);
  Tensor y(x.shape(), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    if (rows)
      kernels<T>().scale_channels({rows, columns, x.value().data<T>(), factors.value().data<T>(),
                                   residual.defined() ? residual.value().data<T>() : nullptr,
                                   y.data<T>()});
  });
  ParameterGradient dfactors(factors);
  return make_result(
      "scale_channels", std::move(y), {x, factors, residual},
      [rows, columns, dfactors, kept_x = dfactors.wanted() ? x.value() : Tensor(),
       kept_factors = wants_gradient(x) ? factors.value() : Tensor(),
       pass = wants_gradient(residual)](const Tensor& dy) mutable -> std::vector<Tensor> {
        Tensor dx;
        dispatch(dy.dtype(), [&]<class T>() {
          if (kept_x.defined() && rows)
            kernels<T>().column_dot({rows, columns, dy.data<T>(), kept_x.data<T>(),
                                     dfactors.target().template data<T>()});
          if (!kept_factors.defined()) return;
          // A residual receives dy as it is.
          dx = pass ? Tensor(dy.shape(), dy.dtype()) : reuse(dy);
          if (rows)
            kernels<T>().scale_channels(
                {rows, columns, dy.data<T>(), kept_factors.data<T>(), nullptr, dx.data<T>()});
        });
        return {dx, dfactors.result(), pass ? dy : Tensor()};
      });
}

}  // namespace shiftadd::autograd
