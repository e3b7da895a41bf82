// Signs whose gradient is that of a smooth step: the window of the codes' own estimators lets
// nothing through to a value far from 0, and the same through to all others.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"

namespace shiftadd::autograd {
namespace {

template <class F>
void for_each_row(const Shape& shape, F&& f) {
  const int64_t channels = shape[2];
  parallel_chunks(shape[0] * shape[1], std::max<int64_t>(1, (1 << 15) / channels),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) f(row * channels);
                  });
}

}  // namespace

Variable smooth_signs(const Variable& input, int64_t coded, double slope) {
  check_rank("smooth_signs", "input", input, 3);
  if (coded < 0 || coded > input.dim(2) || !(slope > 0))
    throw user_error("[smooth_signs] input is ", input.shape(), ", ", coded, " channels, slope ",
                     slope, ": expected (B, N, C), at most C channels and a slope > 0");
  const Shape shape = input.shape();
  const Tensor y(shape, input.dtype());
  dispatch(input.dtype(), [&]<class T>() {
    const T* x = input.value().data<T>();
    T* out = y.data<T>();
    for_each_row(shape, [&](int64_t row) {
      for (int64_t i = row; i < row + coded; ++i) out[i] = x[i] >= 0 ? T{1} : T{-1};
      std::copy_n(x + row + coded, shape[2] - coded, out + row + coded);
    });
  });
  return make_result("smooth_signs", y, {input},
                     [=, kept = input.value()](const Tensor& dy) -> std::vector<Tensor> {
                       const Tensor dx = reuse(dy);
                       dispatch(dy.dtype(), [&]<class T>() {
                         const T *x = kept.data<T>(), *d = dy.data<T>();
                         T* out = dx.data<T>();
                         const T s = static_cast<T>(slope);
                         for_each_row(shape, [&](int64_t row) {
                           for (int64_t i = row; i < row + coded; ++i)
                             out[i] = d[i] * (s / (1 + s * s * x[i] * x[i]));
                           if (out != d)
                             std::copy_n(d + row + coded, shape[2] - coded, out + row + coded);
                         });
                       });
                       return {dx};
                     });
}

}  // namespace shiftadd::autograd
