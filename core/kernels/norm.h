// Normalisations: layer norm and softmax.
#pragma once

#include <cstdint>

namespace shiftadd {

/// y = (x - mean) * rstd * gamma + beta over the last axis; biased variance, rstd = 1/sqrt(var +
/// eps).
template <class T>
struct LayerNormArgs {
  int64_t rows, columns;
  double eps;
  const T *x, *gamma, *beta;
  T* y;
  T *mean, *rstd;  // (rows), or null
};
template <class T>
struct LayerNormBackwardArgs {
  int64_t rows, columns;
  const T *x, *gamma, *mean, *rstd, *dy;
  const T* dresidual;  // (rows, columns) added into dx, or null
  T* dx;               // may equal dy
  T *dgamma, *dbeta;   // accumulated; or null
};

/// Over the last axis; y may equal x.
template <class T>
struct SoftmaxArgs {
  int64_t rows, columns;
  const T* x;
  T* y;
};
/// dx = y (dy - sum(dy y)); dx may equal dy.
template <class T>
struct SoftmaxBackwardArgs {
  int64_t rows, columns;
  const T *y, *dy;
  T* dx;
};

template <class T>
struct NormKernels {
  void (*layer_norm)(const LayerNormArgs<T>&);
  void (*layer_norm_backward)(const LayerNormBackwardArgs<T>&);
  void (*softmax)(const SoftmaxArgs<T>&);
  void (*softmax_backward)(const SoftmaxBackwardArgs<T>&);
};

}  // namespace shiftadd
