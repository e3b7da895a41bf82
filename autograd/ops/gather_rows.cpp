// Rows of a matrix by number.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"

namespace shiftadd::autograd {

Variable gather_rows(const Variable& x, std::vector<int64_t> rows) {
  check_rank("gather_rows", "input", x, 2);
  const int64_t columns = x.dim(1);
  for (int64_t row : rows) {
    if (row < 0 || row >= x.dim(0))
      throw user_error("[gather_rows] row ", row, " of ", x.shape(), ": expected 0..",
                       x.dim(0) - 1);
  }
  Tensor y({static_cast<int64_t>(rows.size()), columns}, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    const int64_t grain = columns < 16384 ? 16384 / std::max<int64_t>(columns, 1) : 1;
    parallel_chunks(y.dim(0), grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        std::copy_n(x.value().data<T>() + rows[i] * columns, columns, y.data<T>() + i * columns);
    });
  });
  return make_result(
      "gather_rows", std::move(y), {x},
      [shape = x.shape(), rows = std::move(rows)](const Tensor& dy) -> std::vector<Tensor> {
        const int64_t columns = shape[1];
        // Added to what other users of x have sent: the parts of a dispatch fill one tensor.
        Tensor dx = take_pending(0);
        if (!dx.defined())
          dx = Tensor::zeros(shape, dy.dtype());
        else if (dx.use_count() > 1)
          dx = dx.clone();
        dispatch(dy.dtype(), [&]<class T>() {
          for (std::size_t i = 0; i < rows.size(); ++i) {  // a row may be gathered twice
            T* target = dx.data<T>() + rows[i] * columns;
            const T* source = dy.data<T>() + i * columns;
            for (int64_t j = 0; j < columns; ++j) target[j] += source[j];
          }
        });
        return {dx};
      });
}

}  // namespace shiftadd::autograd
