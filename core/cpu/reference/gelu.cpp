// The exact GELU (Hendrycks and Gimpel 2016), by definition.
#include <cmath>
#include <numbers>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void gelu(const UnaryArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) {
    const double x = args.x[i];
    args.y[i] = static_cast<T>(x / 2 * (1 + std::erf(x * std::numbers::sqrt2 / 2)));
  }
}

template <class T>
void gelu_backward(const UnaryBackwardArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) {
    const double x = args.x[i];
    const double cdf = (1 + std::erf(x * std::numbers::sqrt2 / 2)) / 2;
    const double pdf = std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
    args.dx[i] = static_cast<T>(args.dy[i] * (cdf + x * pdf));
  }
}

template void gelu(const UnaryArgs<float>&);
template void gelu(const UnaryArgs<double>&);
template void gelu_backward(const UnaryBackwardArgs<float>&);
template void gelu_backward(const UnaryBackwardArgs<double>&);

}  // namespace shiftadd::reference
