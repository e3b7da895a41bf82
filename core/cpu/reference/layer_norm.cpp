// Layer normalisation, by definition (Ba et al. 2016).
#include <cmath>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {

template <class T>
void layer_norm(const LayerNormArgs<T>& args) {
  const int64_t n = args.columns;
  for (int64_t row = 0; row < args.rows; ++row) {
    const T* x = args.x + row * n;
    T* y = args.y + row * n;
    double mean = 0, variance = 0;
    for (int64_t j = 0; j < n; ++j) mean += x[j];
    mean /= n;
    for (int64_t j = 0; j < n; ++j) variance += (x[j] - mean) * (x[j] - mean);
    const double rstd = 1 / std::sqrt(variance / n + args.eps);
    for (int64_t j = 0; j < n; ++j)
      y[j] = static_cast<T>((x[j] - mean) * rstd * args.gamma[j] + args.beta[j]);
    if (args.mean) args.mean[row] = static_cast<T>(mean);
    if (args.rstd) args.rstd[row] = static_cast<T>(rstd);
  }
}

template <class T>
void layer_norm_backward(const LayerNormBackwardArgs<T>& args) {
  const int64_t n = args.columns;
  for (int64_t j = 0; args.dgamma && j < n; ++j) {
    double dgamma = 0, dbeta = 0;
    for (int64_t row = 0; row < args.rows; ++row) {
      const double dy = args.dy[row * n + j];
      dgamma += dy * (static_cast<double>(args.x[row * n + j]) - args.mean[row]) * args.rstd[row];
      dbeta += dy;
    }
    args.dgamma[j] = static_cast<T>(args.dgamma[j] + dgamma);
    args.dbeta[j] = static_cast<T>(args.dbeta[j] + dbeta);
  }
  for (int64_t row = 0; row < args.rows; ++row) {
    const T *x = args.x + row * n, *dy = args.dy + row * n;
    T* dx = args.dx + row * n;
    const double mean = args.mean[row], rstd = args.rstd[row];
    double sum = 0, product = 0;  // of g = dy gamma, and of g xhat
    for (int64_t j = 0; j < n; ++j) {
      const double g = static_cast<double>(dy[j]) * args.gamma[j];
      sum += g;
      product += g * (x[j] - mean) * rstd;
    }
    for (int64_t j = 0; j < n; ++j) {
      const double g = static_cast<double>(dy[j]) * args.gamma[j];
      const double d = rstd * (g - sum / n - (x[j] - mean) * rstd * product / n);
      dx[j] = static_cast<T>(args.dresidual ? d + args.dresidual[row * n + j] : d);
    }
  }
}

template void layer_norm(const LayerNormArgs<float>&);
template void layer_norm(const LayerNormArgs<double>&);
template void layer_norm_backward(const LayerNormBackwardArgs<float>&);
template void layer_norm_backward(const LayerNormBackwardArgs<double>&);

}  // namespace shiftadd::reference
