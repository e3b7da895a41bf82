// A step of AdamW.
#pragma once

#include "core/cpu/simd/elementwise.h"
#include "core/kernels/optimizer.h"

namespace shiftadd {
namespace {

void adamw_kernel(const AdamWArgs<float>& args) {
  const Vec beta1 = set1(static_cast<float>(args.beta1)),
            beta2 = set1(static_cast<float>(args.beta2));
  const Vec rest1 = set1(static_cast<float>(1 - args.beta1));
  const Vec rest2 = set1(static_cast<float>(1 - args.beta2));
  const Vec gradient_scale = set1(static_cast<float>(args.gradient_scale));
  const Vec decay = set1(static_cast<float>(1 - args.lr * args.weight_decay));
  const double step = static_cast<double>(args.step);
  const Vec rate = set1(static_cast<float>(args.lr / (1 - __builtin_pow(args.beta1, step))));
  const Vec unbias =
      set1(static_cast<float>(1 / __builtin_sqrt(1 - __builtin_pow(args.beta2, step))));
  const Vec eps = set1(static_cast<float>(args.eps));
  map(
      args.n, [&](int64_t i, auto lanes) __attribute__((always_inline)) {
        const Vec g = load(args.gradient + i, lanes) * gradient_scale;
        const Vec m = fma(beta1, load(args.m + i, lanes), rest1 * g);
        const Vec v = fma(beta2, load(args.v + i, lanes), rest2 * g * g);
        const Vec update = m / fma(sqrt(v), unbias, eps);
        store(args.m + i, m, lanes);
        store(args.v + i, v, lanes);
        store(args.parameter + i, fnma(rate, update, load(args.parameter + i, lanes) * decay),
              lanes);
      });
}

}  // namespace
}  // namespace shiftadd
