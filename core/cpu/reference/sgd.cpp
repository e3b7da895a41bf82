// A step of SGD with momentum, by definition.
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void sgd(const SgdArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) {
    const double g = args.gradient[i] * args.gradient_scale + args.weight_decay * args.parameter[i];
    const double buffer = args.momentum * args.buffer[i] + g;
    args.buffer[i] = static_cast<T>(buffer);
    args.parameter[i] = static_cast<T>(
        args.parameter[i] - args.lr * (args.nesterov ? g + args.momentum * buffer : buffer));
  }
}

template void sgd(const SgdArgs<float>&);
template void sgd(const SgdArgs<double>&);

}  // namespace shiftadd::reference
