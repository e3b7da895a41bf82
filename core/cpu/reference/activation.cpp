// Activations of an MLP and tanh, by definition.
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// x / (1 + e^-z), whose limit where e^-z is no number is 0; gelu_tanh, too, is of this form:
// (1 + tanh u) / 2 = 1 / (1 + e^-2u).
double swish(double x, double z) {
  const double e = std::exp(-z);
  return std::isinf(e) ? 0 : x / (1 + e);
}
// d/dx of it, from dz/dx.
double swish_slope(double x, double z, double dz) {
  const double e = std::exp(-z), s = 1 / (1 + e);
  if (std::isinf(e) || e == 0) return s;
  return s * (1 + x * dz * e * s);
}

constexpr double kQuickGelu = 1.702;
constexpr double kCubic = 0.044715;
const double kGeluTanh = 2 * std::sqrt(2 / std::numbers::pi);

// Of one channel: any but swiglu.
double active(HiddenActivation kind, double x) {
  switch (kind) {
    case HiddenActivation::kGelu:
      return gelu_of(x);
    case HiddenActivation::kGeluTanh:
      return swish(x, kGeluTanh * (x + kCubic * x * x * x));
    case HiddenActivation::kQuickGelu:
      return swish(x, kQuickGelu * x);
    default:
      return x < 0 ? 0 : x;
  }
}
double slope(HiddenActivation kind, double x) {
  switch (kind) {
    case HiddenActivation::kGelu:
      return gelu_slope(x);
    case HiddenActivation::kGeluTanh:
      return swish_slope(x, kGeluTanh * (x + kCubic * x * x * x),
                         kGeluTanh * (1 + 3 * kCubic * x * x));
    case HiddenActivation::kQuickGelu:
      return swish_slope(x, kQuickGelu * x, kQuickGelu);
    default:
      return x > 0 ? 1 : 0;
  }
}

}  // namespace

template <class T>
void activation(const ActivationArgs<T>& args) {
  if (args.kind != HiddenActivation::kSwiGlu) {
    for (int64_t i = 0; i < args.rows * args.width; ++i)
      args.y[i] = static_cast<T>(active(args.kind, args.x[i]));
    return;
  }
  for (int64_t row = 0; row < args.rows; ++row)
    for (int64_t j = 0; j < args.width; ++j) {
      const T* x = args.x + 2 * row * args.width + j;
      args.y[row * args.width + j] = static_cast<T>(swish(x[0], x[0]) * x[args.width]);
    }
}

template <class T>
void activation_backward(const ActivationBackwardArgs<T>& args) {
  if (args.kind != HiddenActivation::kSwiGlu) {
    for (int64_t i = 0; i < args.rows * args.width; ++i)
      args.dx[i] = static_cast<T>(args.dy[i] * slope(args.kind, args.x[i]));
    return;
  }
  for (int64_t row = 0; row < args.rows; ++row)
    for (int64_t j = 0; j < args.width; ++j) {
      const T* x = args.x + 2 * row * args.width + j;
      T* dx = args.dx + 2 * row * args.width + j;
      const double dy = args.dy[row * args.width + j];
      dx[0] = static_cast<T>(dy * x[args.width] * swish_slope(x[0], x[0], 1));
      dx[args.width] = static_cast<T>(dy * swish(x[0], x[0]));
    }
}

template <class T>
void tanh(const UnaryArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) args.y[i] = std::tanh(args.x[i]);
}

template <class T>
void tanh_backward(const TanhBackwardArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) args.dx[i] = args.dy[i] * (1 - args.y[i] * args.y[i]);
}

template void activation(const ActivationArgs<float>&);
template void activation(const ActivationArgs<double>&);
template void activation_backward(const ActivationBackwardArgs<float>&);
template void activation_backward(const ActivationBackwardArgs<double>&);
template void tanh(const UnaryArgs<float>&);
template void tanh(const UnaryArgs<double>&);
template void tanh_backward(const TanhBackwardArgs<float>&);
template void tanh_backward(const TanhBackwardArgs<double>&);

}  // namespace shiftadd::reference
