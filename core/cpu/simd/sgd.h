// A step of SGD with momentum.
#pragma once

#include "core/cpu/simd/elementwise.h"
#include "core/kernels/optimizer.h"

namespace shiftadd {
namespace {

void sgd_kernel(const SgdArgs<float>& args) {
  const Vec lr = set1(static_cast<float>(args.lr)),
            momentum = set1(static_cast<float>(args.momentum));
  const Vec decay = set1(static_cast<float>(args.weight_decay));
  const Vec gradient_scale = set1(static_cast<float>(args.gradient_scale));
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const Vec p = load(args.parameter + i, lanes);
        const Vec g = fma(decay, p, load(args.gradient + i, lanes) * gradient_scale);
        const Vec buffer = fma(momentum, load(args.buffer + i, lanes), g);
        store(args.buffer + i, buffer, lanes);
        store(args.parameter + i, fnma(lr, args.nesterov ? fma(momentum, buffer, g) : buffer, p),
              lanes);
      });
}

}  // namespace
}  // namespace shiftadd
