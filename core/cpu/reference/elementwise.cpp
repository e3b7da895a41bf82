// Element-wise kernels, the sum and dropout, by definition.
#include "core/cpu/reference/reference.h"
#include "core/random.h"

namespace shiftadd::reference {

template <class T>
void add(const BinaryArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) args.out[i] = args.a[i] + args.b[i];
}

template <class T>
void multiply(const BinaryArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) args.out[i] = args.a[i] * args.b[i];
}

template <class T>
void add_broadcast(const AddBroadcastArgs<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) args.out[i] = args.a[i] + args.b[i % args.period];
}

template <class T>
void scale(const ScaleArgs<T>& args) {
  const T alpha = static_cast<T>(args.alpha);
  for (int64_t i = 0; i < args.n; ++i)
    args.y[i] = args.accumulate ? args.y[i] + alpha * args.x[i] : alpha * args.x[i];
}

template <class T>
void sum(const SumArgs<T>& args) {
  double total = 0;
  for (int64_t i = 0; i < args.n; ++i) total += args.x[i];
  *args.out = total;
}

template <class T>
void drop(const DropArgs<T>& args) {
  const RandomStream random(args.seed, args.stream);
  const T factor = static_cast<T>(1 / args.keep);
  for (int64_t i = 0; i < args.n; ++i)
    args.y[i] = random.uniform(i / args.group) < args.keep ? args.x[i] * factor : T{0};
}

template void add(const BinaryArgs<float>&);
template void add(const BinaryArgs<double>&);
template void multiply(const BinaryArgs<float>&);
template void multiply(const BinaryArgs<double>&);
template void add_broadcast(const AddBroadcastArgs<float>&);
template void add_broadcast(const AddBroadcastArgs<double>&);
template void scale(const ScaleArgs<float>&);
template void scale(const ScaleArgs<double>&);
template void sum(const SumArgs<float>&);
template void sum(const SumArgs<double>&);
template void drop(const DropArgs<float>&);
template void drop(const DropArgs<double>&);

}  // namespace shiftadd::reference
