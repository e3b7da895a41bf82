// Rows written into a matrix of zeros by number.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable scatter_rows(const Variable& x, std::vector<int64_t> rows, int64_t total) {
  check_rank("scatter_rows", "input", x, 2);
  const int64_t columns = x.dim(1);
  if (static_cast<int64_t>(rows.size()) != x.dim(0))
    throw user_error("[scatter_rows] ", rows.size(), " row numbers for input ", x.shape());
  std::vector<bool> used(std::max<int64_t>(total, 0));
  for (int64_t row : rows) {
    if (row < 0 || row >= total || used[row])
      throw user_error("[scatter_rows] row ", row, " of ", total,
                       ": expected distinct rows below the total");
    used[row] = true;
  }
  Tensor y = Tensor::zeros({total, columns}, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    for (std::size_t i = 0; i < rows.size(); ++i)
      std::copy_n(x.value().data<T>() + i * columns, columns, y.data<T>() + rows[i] * columns);
  });
  return make_result(
      "scatter_rows", std::move(y), {x},
      [shape = x.shape(), rows = std::move(rows)](const Tensor& dy) -> std::vector<Tensor> {
        const int64_t columns = shape[1];
        const Tensor dx(shape, dy.dtype());
        dispatch(dy.dtype(), [&]<class T>() {
          for (std::size_t i = 0; i < rows.size(); ++i)
            std::copy_n(dy.data<T>() + rows[i] * columns, columns, dx.data<T>() + i * columns);
        });
        return {dx};
      });
}

}  // namespace shiftadd::autograd
