// What the plain attention kernels on codes share: codes, values and the local filter of one head.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/kernels.h"

namespace shiftadd::reference {

inline constexpr double kUnitEps = 1e-12;  // inside the root of a norm

/// One head of q, k, v, out or a gradient: row n begins at x + n * stride.
template <class T>
struct Rows {
  T* x;
  int64_t stride, count, d;
  T& at(int64_t n, int64_t j) const { return x[n * stride + j]; }
};
template <class T>
Rows<T> q_rows(const AttentionShape& s, T* q, int64_t b, int64_t h, int64_t count) {
  return {q + b * s.q_batch + h * s.q_head, s.q_row, count, s.code_dim};
}
template <class T>
Rows<T> k_rows(const AttentionShape& s, T* k, int64_t b, int64_t h) {
  return {k + b * s.k_batch + h * s.k_head, s.k_row, s.keys, s.code_dim};
}
template <class T>
Rows<T> v_rows(const AttentionShape& s, T* v, int64_t b, int64_t h) {
  return {v + b * s.v_batch + h * s.v_head, s.v_row, s.keys, s.head_dim};
}
template <class T>
Rows<T> o_rows(const AttentionShape& s, T* o, int64_t b, int64_t h) {
  return {o + b * s.o_batch + h * s.o_head, s.o_row, s.queries, s.head_dim};
}

/// (count, d) doubles, row-major.
using Matrix = std::vector<double>;

template <class T>
double unit_factor(const Rows<const T>& x, int64_t n) {
  double squares = 0;
  for (int64_t j = 0; j < x.d; ++j) squares += static_cast<double>(x.at(n, j)) * x.at(n, j);
  return 1 / std::sqrt(squares + kUnitEps);
}

/// The mean of x^ over all rows: the threshold of unit codes for one head.
template <class T>
double unit_mean(const Rows<const T>& x) {
  double sum = 0;
  for (int64_t n = 0; n < x.count; ++n) {
    const double factor = unit_factor(x, n);
    for (int64_t j = 0; j < x.d; ++j) sum += x.at(n, j) * factor;
  }
  return sum / static_cast<double>(x.count * x.d);
}

/// One mean for all heads of the batch in place of one each.
template <class T>
void share_threshold(int64_t count, T* thresholds) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += thresholds[i];
  std::fill_n(thresholds, count, static_cast<T>(sum / static_cast<double>(count)));
}

/// The whole number that stands for x: a sign or a level.
template <class T>
int whole_code(Codes codes, T x) {
  return codes == Codes::kBipolar2 ? level_of(x) : x < 0 ? -1 : 1;
}

/// What the estimator multiplies the gradient of a whole code of x by.
template <class T>
double whole_code_slope(Codes codes, T x) {
  if (codes == Codes::kSign) return std::abs(x) <= 1 ? 1 : 0;
  return std::abs(x) <= T(kBipolarEdge) ? 2 / double{kBipolarStep} : 0;
}

/// Codes of every row; whole ones are times `magnitude`.
template <class T>
Matrix encode(Codes codes, const Rows<const T>& x, double magnitude, double threshold) {
  Matrix y(x.count * x.d);
  for (int64_t n = 0; n < x.count; ++n) {
    const double factor = unit_factor(x, n);
    for (int64_t j = 0; j < x.d; ++j) {
      const double unit = x.at(n, j) * factor;
      y[n * x.d + j] = is_whole(codes)         ? whole_code(codes, x.at(n, j)) * magnitude
                       : codes == Codes::kNone ? unit
                                               : (unit > threshold ? 1 : 0);
    }
  }
  return y;
}

/// dx = factor * (gradient g of the codes, through the estimator and the normalisation); rows of dx
/// beyond those of g become zero.
template <class T>
void encode_backward(Codes codes, const Rows<const T>& x, double factor, const Matrix& g,
                     const Rows<T>& dx) {
  for (int64_t n = 0; n < x.count; ++n) {
    const double length = unit_factor(x, n);
    double along = 0;
    std::vector<double> passed(x.d);
    for (int64_t j = 0; j < x.d; ++j) {
      const double value = x.at(n, j), unit = value * length;
      const double slope = is_whole(codes)         ? whole_code_slope(codes, x.at(n, j))
                           : codes == Codes::kNone ? 1
                                                   : (unit >= 0 && unit <= 1);
      passed[j] = slope * factor * g[n * x.d + j];
      along += passed[j] * unit;
    }
    for (int64_t j = 0; j < x.d; ++j)
      dx.at(n, j) = static_cast<T>(
          is_whole(codes) ? passed[j] : length * (passed[j] - x.at(n, j) * length * along));
  }
}

/// What turns the product of two whole codes of one head into a score.
template <class T>
struct HeadScores {
  HeadScores(const ScoreArgs<T>& args, int64_t head) {
    factor = args.codes == Codes::kBipolar2 ? args.scale / kBipolarSquare : args.scale;
    if (args.temperature)
      temperature = std::max(double{args.temperature[head]}, double{kLeastTemperature});
    factor *= temperature;
  }
  double factor, temperature = 1;
};

/// v in its format as whole numbers (kInt8) or as it is, times *scale.
template <class T>
Matrix take_values(ValueFormat format, const Rows<const T>& v, double* scale) {
  Matrix y(v.count * v.d);
  T largest = T(1e-12);
  for (int64_t n = 0; n < v.count; ++n)
    for (int64_t j = 0; j < v.d; ++j) largest = std::max(largest, std::abs(v.at(n, j)));
  // In T, like the fast kernel: a rounding in another precision would flip ties.
  const T inverse = T(127) / largest;
  *scale = format == ValueFormat::kInt8 ? largest / T(127) : 1;
  for (int64_t n = 0; n < v.count; ++n)
    for (int64_t j = 0; j < v.d; ++j)
      y[n * v.d + j] =
          format == ValueFormat::kInt8 ? std::nearbyint(v.at(n, j) * inverse) : v.at(n, j);
  return y;
}

/// body(tap, row that it reads) for each tap of the filter that lies on the grid, seen from row n.
template <class Body>
void for_taps(const LocalShape& s, int64_t n, Body body) {
  const int64_t pixel = n - s.first;
  if (pixel < 0 || s.kernel_h == 0) return;
  for (int64_t i = 0; i < s.kernel_h; ++i)
    for (int64_t j = 0; j < s.kernel_w; ++j) {
      const int64_t y = pixel / s.grid_w + i - s.kernel_h / 2;
      const int64_t x = pixel % s.grid_w + j - s.kernel_w / 2;
      if (y >= 0 && y < s.grid_h && x >= 0 && x < s.grid_w)
        body(i * s.kernel_w + j, s.first + y * s.grid_w + x);
    }
}

/// What multiplies q (k^T v) on unscaled sign codes and on others.
inline double product_factor(Codes codes, int64_t code_dim) {
  return codes == Codes::kSign ? 1 / (std::numbers::pi * static_cast<double>(code_dim))
                               : 1 / std::numbers::pi;
}

/// out_n = a / |a| + local filter, a = scale (v_n / 2 + m_n), all rows; m (queries, d).
template <class T>
void finish(const LinearAngularArgs<T>& args, int64_t h, const Matrix& m, const Matrix& v,
            double scale, const Rows<T>& out) {
  const int64_t d = out.d;
  const int64_t taps = args.local.kernel_h * args.local.kernel_w;
  std::vector<double> a(d);
  for (int64_t n = 0; n < out.count; ++n) {
    double squares = 0;
    for (int64_t j = 0; j < d; ++j) {
      a[j] = scale * (0.5 * v[n * d + j] + m[n * d + j]);
      squares += a[j] * a[j];
    }
    for (double& x : a) x /= std::sqrt(squares + kUnitEps);
    if (args.local_weight)
      for_taps(args.local, n, [&](int64_t tap, int64_t row) {
        for (int64_t j = 0; j < d; ++j)
          a[j] += args.local_weight[h * taps + tap] * scale * v[row * d + j];
      });
    for (int64_t j = 0; j < d; ++j) out.at(n, j) = static_cast<T>(a[j]);
  }
}

}  // namespace shiftadd::reference
