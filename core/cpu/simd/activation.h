// Activations of an MLP, tanh, and their derivatives.
#pragma once

#include "core/cpu/simd/elementwise.h"
#include "core/cpu/simd/row_ops.h"
#include "core/kernels/activation.h"

namespace shiftadd {
namespace {

// y = function(x), each element by itself.
template <Vec (*function)(Vec)>
void map_unary(const UnaryArgs<float>& args) {
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        store(args.y + i, function(load(args.x + i, lanes)), lanes);
      });
}

// dx = dy derivative(x).
template <Vec (*derivative)(Vec)>
void map_backward(const UnaryBackwardArgs<float>& args) {
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        store(args.dx + i, load(args.dy + i, lanes) * derivative(load(args.x + i, lanes)), lanes);
      });
}

void gelu_kernel(const UnaryArgs<float>& args) { map_unary<gelu>(args); }
void gelu_backward_kernel(const UnaryBackwardArgs<float>& args) {
  map_backward<gelu_derivative>(args);
}

void tanh_kernel(const UnaryArgs<float>& args) { map_unary<tanh>(args); }
void tanh_backward_kernel(const TanhBackwardArgs<float>& args) {
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const Vec y = load(args.y + i, lanes);
        store(args.dx + i, load(args.dy + i, lanes) * fnma(y, y, set1(1.f)), lanes);
      });
}

// body(first element of a row of x1, of x2 behind it, of the hidden channels, lanes).
template <class Body>
SHIFTADD_INLINE void for_gates(int64_t rows, int64_t width, Body body) {
  parallel_chunks(rows, row_grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for_vectors(
          0, width, [&](int64_t j, auto lanes) __attribute__((always_inline)) {
            const int64_t gate = 2 * row * width + j;
            body(gate, gate + width, row * width + j, lanes);
          });
  });
}

void swiglu(const ActivationArgs<float>& args) {
  for_gates(
      args.rows, args.width,
      [&](int64_t gate, int64_t value, int64_t i, auto lanes) __attribute__((always_inline)) {
        store(args.y + i, silu(load(args.x + gate, lanes)) * load(args.x + value, lanes), lanes);
      });
}

void swiglu_backward(const ActivationBackwardArgs<float>& args) {
  for_gates(
      args.rows, args.width,
      [&](int64_t gate, int64_t value, int64_t i, auto lanes) __attribute__((always_inline)) {
        const Vec x1 = load(args.x + gate, lanes), dy = load(args.dy + i, lanes);
        const Vec x2 = load(args.x + value, lanes);
        store(args.dx + gate, dy * x2 * silu_derivative(x1), lanes);
        store(args.dx + value, dy * silu(x1), lanes);
      });
}

void activation_kernel(const ActivationArgs<float>& args) {
  const UnaryArgs<float> each = {args.rows * args.width, args.x, args.y};
  switch (args.kind) {
    case HiddenActivation::kGelu:
      return map_unary<gelu>(each);
    case HiddenActivation::kGeluTanh:
      return map_unary<gelu_tanh>(each);
    case HiddenActivation::kQuickGelu:
      return map_unary<quick_gelu>(each);
    case HiddenActivation::kRelu:
      return map_unary<relu>(each);
    case HiddenActivation::kSwiGlu:
      return swiglu(args);
  }
}

void activation_backward_kernel(const ActivationBackwardArgs<float>& args) {
  const UnaryBackwardArgs<float> each = {args.rows * args.width, args.x, args.dy, args.dx};
  switch (args.kind) {
    case HiddenActivation::kGelu:
      return map_backward<gelu_derivative>(each);
    case HiddenActivation::kGeluTanh:
      return map_backward<gelu_tanh_derivative>(each);
    case HiddenActivation::kQuickGelu:
      return map_backward<quick_gelu_derivative>(each);
    case HiddenActivation::kRelu:
      return map_backward<relu_derivative>(each);
    case HiddenActivation::kSwiGlu:
      return swiglu_backward(args);
  }
}

}  // namespace
}  // namespace shiftadd
