// The mixture's load-balancing loss and its gradient, by definition.
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// Squared coefficient of variation of z (n numbers) with the sample variance; slope[i] = d / d z_i.
double squared_variation(const double* z, int64_t n, std::vector<double>& slope) {
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < n; ++i) mean += z[i];
  mean /= static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) variance += (z[i] - mean) * (z[i] - mean);
  variance /= static_cast<double>(n - 1);
  for (int64_t i = 0; i < n; ++i)
    slope[i] =
        2 *
        ((z[i] - mean) / static_cast<double>(n - 1) - variance / (mean * static_cast<double>(n))) /
        (mean * mean);
  return variance / (mean * mean);
}

// p = softmax(logits) of one token.
template <class T>
void softmax_of(const T* logits, int64_t n, std::vector<double>& p) {
  double largest = logits[0], sum = 0;
  for (int64_t i = 1; i < n; ++i) largest = logits[i] > largest ? logits[i] : largest;
  for (int64_t i = 0; i < n; ++i) sum += p[i] = std::exp(logits[i] - largest);
  for (int64_t i = 0; i < n; ++i) p[i] /= sum;
}

// How far expert i is ahead of the others, in units of sigma.
template <class T>
double margin(const BalanceArgs<T>& args, int64_t token, int64_t i) {
  const T* noisy = args.noisy + token * args.experts;
  double other = -std::numeric_limits<double>::infinity();
  for (int64_t j = 0; j < args.experts; ++j) {
    if (j != i && !(noisy[j] <= other)) other = noisy[j];
  }
  return (args.logits[token * args.experts + i] - other) / args.sigma;
}

}  // namespace

template <class T>
void balance(const BalanceArgs<T>& args) {
  const int64_t n = args.experts;
  std::vector<double> p(n), importance_slope(n), load_slope(n);
  for (int64_t i = 0; i < n; ++i) args.importance[i] = args.load[i] = 0;
  for (int64_t t = 0; t < args.tokens; ++t) {
    softmax_of(args.logits + t * n, n, p);
    for (int64_t i = 0; i < n; ++i) {
      args.importance[i] += p[i];
      args.load[i] += std::erfc(-margin(args, t, i) / std::numbers::sqrt2) / 2;
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    args.importance[i] *= args.alpha[i];
    args.load[i] *= args.alpha[i];
  }
  args.scv[0] = squared_variation(args.importance, n, importance_slope);
  args.scv[1] = squared_variation(args.load, n, load_slope);
  *args.loss = static_cast<T>(args.scv[0] + args.scv[1]);
  if (!args.dlogits) return;
  const double density = std::numbers::inv_sqrtpi / std::numbers::sqrt2 / args.sigma;
  for (int64_t t = 0; t < args.tokens; ++t) {
    softmax_of(args.logits + t * n, n, p);
    double dot = 0;
    for (int64_t i = 0; i < n; ++i) dot += p[i] * args.alpha[i] * importance_slope[i];
    for (int64_t i = 0; i < n; ++i) {
      const double u = margin(args, t, i);
      args.dlogits[t * n + i] =
          static_cast<T>(p[i] * (args.alpha[i] * importance_slope[i] - dot) +
                         args.alpha[i] * load_slope[i] * density * std::exp(-u * u / 2));
    }
  }
}

template void balance(const BalanceArgs<float>&);
template void balance(const BalanceArgs<double>&);

}  // namespace shiftadd::reference
