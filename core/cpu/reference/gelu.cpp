// The exact GELU (Hendrycks and Gimpel 2016), by definition.
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void gelu(const UnaryArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) {
    args.y[i] = static_cast<T>(gelu_of(args.x[i]));
  }
}

template <class T>
void gelu_backward(const UnaryBackwardArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) {
    args.dx[i] = static_cast<T>(args.dy[i] * gelu_slope(args.x[i]));
  }
}

template void gelu(const UnaryArgs<float>&);
template void gelu(const UnaryArgs<double>&);
template void gelu_backward(const UnaryBackwardArgs<float>&);
template void gelu_backward(const UnaryBackwardArgs<double>&);

}  // namespace shiftadd::reference
