// GELU and its derivative, element by element.
#pragma once

#include "core/cpu/simd/elementwise.h"
#include "core/kernels/norm.h"

namespace shiftadd {
namespace {

void gelu_kernel(const UnaryArgs<float>& args) {
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        store(args.y + i, gelu(load(args.x + i, lanes)), lanes);
      });
}

void gelu_backward_kernel(const UnaryBackwardArgs<float>& args) {
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        store(args.dx + i, load(args.dy + i, lanes) * gelu_derivative(load(args.x + i, lanes)),
              lanes);
      });
}

}  // namespace
}  // namespace shiftadd
