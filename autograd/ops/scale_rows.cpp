// Multiplies each row of a weight by a factor of its own.
#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable scale_rows(const Variable& weight, const Variable& factors) {
  check_min_rank("scale_rows", "weight", weight, 1);
  check_defined("scale_rows", "factors", factors);
  check_same_dtype("scale_rows", weight, {factors});
  check_shape("scale_rows", "factors", factors.shape(), {weight.dim(0)});
  const int64_t rows = weight.dim(0), columns = rows ? weight.value().numel() / rows : 0;
  Tensor y(weight.shape(), weight.dtype());
  dispatch(weight.dtype(), [&]<class T>() {
    if (columns)
      kernels<T>().scale_rows(
          {rows, columns, weight.value().data<T>(), factors.value().data<T>(), y.data<T>()});
  });
  ParameterGradient dfactors(factors);
  return make_result(
      "scale_rows", std::move(y), {weight, factors},
      [rows, columns, dfactors, kept_weight = dfactors.wanted() ? weight.value() : Tensor(),
       kept_factors = wants_gradient(weight) ? factors.value() : Tensor()](
          const Tensor& dy) mutable -> std::vector<Tensor> {
        Tensor dweight;
        dispatch(dy.dtype(), [&]<class T>() {
          if (kept_weight.defined() && columns)
            kernels<T>().row_dot({rows, columns, dy.data<T>(), kept_weight.data<T>(),
                                  dfactors.target().template data<T>()});
          if (!kept_factors.defined()) return;
          dweight = reuse(dy);
          if (columns)
            kernels<T>().scale_rows(
                {rows, columns, dy.data<T>(), kept_factors.data<T>(), dweight.data<T>()});
        });
        return {dweight, dfactors.result()};
      });
}

}  // namespace shiftadd::autograd
