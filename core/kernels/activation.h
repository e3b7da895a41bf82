// What lies between the two layers of an MLP, and tanh.
#pragma once

#include <cstdint>

namespace shiftadd {

/// gelu: x/2 (1 + erf(x / sqrt 2)); gelu_tanh: x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)));
/// quick_gelu: x / (1 + exp(-1.702 x)); relu: max(x, 0); swiglu: of twice as many channels, x1 then
/// x2, x1 / (1 + exp(-x1)) x2 (Shazeer 2020, arXiv 2002.05202).
enum class HiddenActivation : uint8_t { kGelu, kGeluTanh, kQuickGelu, kRelu, kSwiGlu };

/// Channels that fc1 makes of each hidden channel.
constexpr int64_t inputs_of(HiddenActivation kind) {
  return kind == HiddenActivation::kSwiGlu ? 2 : 1;
}

/// y (rows, width) of x (rows, inputs_of(kind) width). y may equal x, but not of swiglu, whose rows
/// of y and x differ in length. Where x is -inf, y is the limit, 0 (of swiglu: 0 x2).
template <class T>
struct ActivationArgs {
  HiddenActivation kind;
  int64_t rows, width;
  const T* x;
  T* y;
};
/// dx (rows, inputs_of(kind) width) is the gradient of x, dy (rows, width) that of y; dx may equal
/// dy, but not of swiglu. The slope of relu at 0 is 0.
template <class T>
struct ActivationBackwardArgs {
  HiddenActivation kind;
  int64_t rows, width;
  const T *x, *dy;
  T* dx;
};

template <class T>
struct UnaryArgs {  // y = f(x); y may equal x
  int64_t n;
  const T* x;
  T* y;
};
template <class T>
struct UnaryBackwardArgs {  // dx = dy f'(x); dx may equal dy
  int64_t n;
  const T *x, *dy;
  T* dx;
};
/// dx = dy (1 - y^2), from what forward wrote; dx may equal dy.
template <class T>
struct TanhBackwardArgs {
  int64_t n;
  const T *y, *dy;
  T* dx;
};

template <class T>
struct ActivationKernels {
  void (*activation)(const ActivationArgs<T>&);
  void (*activation_backward)(const ActivationBackwardArgs<T>&);
  /// The bits of kind kGelu.
  void (*gelu)(const UnaryArgs<T>&);
  void (*gelu_backward)(const UnaryBackwardArgs<T>&);
  void (*tanh)(const UnaryArgs<T>&);
  void (*tanh_backward)(const TanhBackwardArgs<T>&);
};

}  // namespace shiftadd
