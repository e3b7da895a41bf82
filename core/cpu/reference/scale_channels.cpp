// Factors of channels and their gradient, by definition.
#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void scale_channels(const ScaleChannelsArgs<T>& args) {
  for (int64_t i = 0; i < args.rows * args.columns; ++i) {
    const T factor = args.factors[i % args.columns];
    args.y[i] = args.residual ? std::fma(factor, args.x[i], args.residual[i]) : factor * args.x[i];
  }
}

template <class T>
void column_dot(const DotsArgs<T>& args) {
  for (int64_t j = 0; j < args.columns; ++j) {
    double sum = 0;
    for (int64_t i = j; i < args.rows * args.columns; i += args.columns)
      sum += static_cast<double>(args.a[i]) * args.b[i];
    args.out[j] = static_cast<T>(args.out[j] + sum);
  }
}

template void scale_channels(const ScaleChannelsArgs<float>&);
template void scale_channels(const ScaleChannelsArgs<double>&);
template void column_dot(const DotsArgs<float>&);
template void column_dot(const DotsArgs<double>&);

}  // namespace shiftadd::reference
