// A step of AdamW, by definition.
#include <cmath>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void adamw(const AdamWArgs<T>& args) {
  const double correction1 = 1 - std::pow(args.beta1, args.step);
  const double correction2 = 1 - std::pow(args.beta2, args.step);
  for (int64_t i = 0; i < args.n; ++i) {
    const double g = args.gradient[i] * args.gradient_scale;
    const double m = args.beta1 * args.m[i] + (1 - args.beta1) * g;
    const double v = args.beta2 * args.v[i] + (1 - args.beta2) * g * g;
    const double p = args.parameter[i] * (1 - args.lr * args.weight_decay);
    args.m[i] = static_cast<T>(m);
    args.v[i] = static_cast<T>(v);
    args.parameter[i] =
        static_cast<T>(p - args.lr * (m / correction1) / (std::sqrt(v / correction2) + args.eps));
  }
}

template void adamw(const AdamWArgs<float>&);
template void adamw(const AdamWArgs<double>&);

}  // namespace shiftadd::reference
