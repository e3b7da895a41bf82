// Softmax over the last axis, by definition.
#include <algorithm>
#include <cmath>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void softmax(const SoftmaxArgs<T>& args) {
  const int64_t n = args.columns;
  for (int64_t row = 0; row < args.rows; ++row) {
    const T* x = args.x + row * n;
    T* y = args.y + row * n;
    const double top = *std::max_element(x, x + n);
    double sum = 0;
    for (int64_t j = 0; j < n; ++j) sum += std::exp(x[j] - top);
    for (int64_t j = 0; j < n; ++j) y[j] = static_cast<T>(std::exp(x[j] - top) / sum);
  }
}

template <class T>
void softmax_backward(const SoftmaxBackwardArgs<T>& args) {
  const int64_t n = args.columns;
  for (int64_t row = 0; row < args.rows; ++row) {
    const T *y = args.y + row * n, *dy = args.dy + row * n;
    T* dx = args.dx + row * n;
    double dot = 0;
    for (int64_t j = 0; j < n; ++j) dot += static_cast<double>(dy[j]) * y[j];
    for (int64_t j = 0; j < n; ++j) dx[j] = static_cast<T>(y[j] * (dy[j] - dot));
  }
}

template void softmax(const SoftmaxArgs<float>&);
template void softmax(const SoftmaxArgs<double>&);
template void softmax_backward(const SoftmaxBackwardArgs<float>&);
template void softmax_backward(const SoftmaxBackwardArgs<double>&);

}  // namespace shiftadd::reference
