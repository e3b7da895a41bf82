// Swaps the last two axes.
#include <algorithm>
#include <utility>

#include "autograd/ops.h"
#include "autograd/ops/support.h"
#include "core/parallel.h"

namespace shiftadd::autograd {
namespace {

constexpr int64_t kTile =
    32;  // two 32 x 32 float tiles are 8 KiB: both stay in the first-level cache

template <class T>
void transpose(int64_t rows, int64_t columns, const T* x, T* y) {
  for (int64_t i0 = 0; i0 < rows; i0 += kTile) {
    for (int64_t j0 = 0; j0 < columns; j0 += kTile) {
      for (int64_t i = i0; i < std::min(rows, i0 + kTile); ++i) {
        for (int64_t j = j0; j < std::min(columns, j0 + kTile); ++j)
          y[j * rows + i] = x[i * columns + j];
      }
    }
  }
}

Tensor transposed(const Tensor& x) {
  Shape shape = x.shape();
  std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  const Tensor y(shape, x.dtype());
  const int64_t rows = x.dim(-2), columns = x.dim(-1), size = rows * columns;
  if (!x.numel()) return y;
  dispatch(x.dtype(), [&]<class T>() {
    const T* source = x.data<T>();
    T* target = y.data<T>();
    parallel_for(x.numel() / size, [&](int64_t i) {
      transpose(rows, columns, source + i * size, target + i * size);
    });
  });
  return y;
}

}  // namespace

Variable transpose_last(const Variable& x) {
  check_min_rank("transpose_last", "input", x, 2);
  return make_result("transpose_last", transposed(x.value()), {x},
                     [](const Tensor& dy) -> std::vector<Tensor> { return {transposed(dy)}; });
}

}  // namespace shiftadd::autograd
