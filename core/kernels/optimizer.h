// The steps of optimizers.
#pragma once

#include <cstdint>

namespace shiftadd {

/// One AdamW step (Loshchilov and Hutter 2019), decoupled decay: p -= lr*decay*p; then Adam with
/// bias correction for `step` (1-based). gradient_scale multiplies the gradient first (clipping).
template <class T>
struct AdamWArgs {
  int64_t n;
  double lr, beta1, beta2, eps, weight_decay, gradient_scale;
  int64_t step;
  const T* gradient;
  T *parameter, *m, *v;
};
/// buffer = momentum*buffer + (g*gradient_scale + decay*p); p -= lr*(nesterov ? g + momentum*buffer
/// : buffer).
template <class T>
struct SgdArgs {
  int64_t n;
  double lr, momentum, weight_decay, gradient_scale;
  bool nesterov;
  const T* gradient;
  T *parameter, *buffer;
};

template <class T>
struct OptimizerKernels {
  void (*adamw)(const AdamWArgs<T>&);
  void (*sgd)(const SgdArgs<T>&);
};

}  // namespace shiftadd
