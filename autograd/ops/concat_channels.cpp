// Joins two tensors along their last axis.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable concat_channels(const Variable& a, const Variable& b) {
  check_min_rank("concat_channels", "a", a, 1);
  check_min_rank("concat_channels", "b", b, 1);
  check_same_dtype("concat_channels", a, {b});
  const int64_t left = a.dim(-1), right = b.dim(-1), both = left + right;
  Shape shape = a.shape();
  shape.back() = right;
  check_shape("concat_channels", "b", b.shape(), shape);
  shape.back() = both;
  Tensor y(shape, a.dtype());
  const int64_t rows = rows_of(y);
  dispatch(a.dtype(), [&]<class T>() {
    T* target = y.data<T>();
    for (int64_t row = 0; row < rows; ++row, target += both) {
      std::copy_n(a.value().data<T>() + row * left, left, target);
      std::copy_n(b.value().data<T>() + row * right, right, target + left);
    }
  });
  return make_result("concat_channels", std::move(y), {a, b},
                     [=, a_shape = a.shape(), b_shape = b.shape(), wants_a = wants_gradient(a),
                      wants_b = wants_gradient(b)](const Tensor& dy) -> std::vector<Tensor> {
                       Tensor da, db;
                       if (wants_a) da = Tensor(a_shape, dy.dtype());
                       if (wants_b) db = Tensor(b_shape, dy.dtype());
                       dispatch(dy.dtype(), [&]<class T>() {
                         const T* g = dy.data<T>();
                         for (int64_t row = 0; row < rows; ++row, g += both) {
                           if (wants_a) std::copy_n(g, left, da.data<T>() + row * left);
                           if (wants_b) std::copy_n(g + left, right, db.data<T>() + row * right);
                         }
                       });
                       return {da, db};
                     });
}

}  // namespace shiftadd::autograd
