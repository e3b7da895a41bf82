// What tests of attention on codes share: codes and their estimators by definition in float64, and
// central differences.
#pragma once

#include <cmath>
#include <vector>

#include "tests/ops/op_test.h"

namespace shiftadd::test {

/// A sign, or -3, -1, 1 or 3 over sqrt(5).
inline double code_of(Codes codes, double x) {
  if (codes == Codes::kSign) return x < 0 ? -1 : 1;
  const double step = kBipolarStep;
  const double level = x < -step ? -3 : x < 0 ? -1 : x < step ? 1 : 3;
  return level / std::sqrt(5.0);
}

/// What the estimator lets through.
inline double slope_of(Codes codes, double x) {
  if (codes == Codes::kSign) return std::abs(x) <= 1 ? 1 : 0;
  return std::abs(x) <= 1.5 * kBipolarStep ? 2 / (kBipolarStep * std::sqrt(5.0)) : 0;
}

/// Attention of two heads of three channels on two images, in float64.
struct CodedProblem {
  static constexpr int64_t kBatch = 2, kHeads = 2, kDim = 3;
  static constexpr int64_t kWidth = kHeads * kDim, kRow = 3 * kWidth;

  CodedProblem(int64_t count, Codes code) : codes(code), tokens(count) {
    qkv = Variable(random_normal({kBatch, tokens, kRow}, 1), true);
    temperature = Variable(Tensor({kHeads}, DType::kF64), true);
    dout = random_normal({kBatch, tokens, kWidth}, 3);
    for (int64_t h = 0; h < kHeads; ++h)
      temperature.value().data<double>()[h] = 0.6 + 0.5 * static_cast<double>(h);
  }
  static bool is_code(std::size_t i) { return static_cast<int64_t>(i) % kRow < 2 * kWidth; }

  /// qkv with codes in place of q and k.
  std::vector<double> coded() const {
    const double* from = qkv.value().data<double>();
    std::vector<double> x(from, from + qkv.value().numel());
    for (std::size_t i = 0; i < x.size(); ++i)
      if (is_code(i)) x[i] = code_of(codes, x[i]);
    return x;
  }

  /// The output where weights(n, scores) gives what query n weighs the keys with, not yet divided
  /// by their sum.
  template <class Weights>
  std::vector<double> attend(const std::vector<double>& x, const double* at,
                             Weights weights) const {
    std::vector<double> out(static_cast<std::size_t>(kBatch * tokens * kWidth));
    for (int64_t b = 0; b < kBatch; ++b)
      for (int64_t h = 0; h < kHeads; ++h)
        for (int64_t n = 0; n < tokens; ++n) {
          const auto number = [&](int64_t token, int64_t part, int64_t j) {
            return x[static_cast<std::size_t>((b * tokens + token) * kRow + part * kWidth +
                                              h * kDim + j)];
          };
          std::vector<double> scores;
          for (int64_t m = 0; m < tokens; ++m) {
            double product = 0;
            for (int64_t j = 0; j < kDim; ++j) product += number(n, 0, j) * number(m, 1, j);
            scores.push_back(at[h] * product / std::sqrt(double{kDim}));
          }
          const std::vector<double> weight = weights(n, scores);
          double sum = 0;
          for (const double each : weight) sum += each;
          for (int64_t j = 0; j < kDim; ++j)
            for (int64_t m = 0; m < tokens; ++m)
              out[static_cast<std::size_t>((b * tokens + n) * kWidth + h * kDim + j)] +=
                  weight[static_cast<std::size_t>(m)] / sum * number(m, 2, j);
        }
    return out;
  }

  /// Holds an op's values and, of `dout`, its gradients against those of attend.
  template <class Op, class Weights>
  void check(Op op, Weights weights) {
    const Variable out = op(qkv);
    std::vector<double> x = coded();
    double* at = temperature.value().data<double>();
    const std::vector<double> expected = attend(x, at, weights);
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK(out.value().data<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-10));
    out.backward(dout.clone());
    const auto difference = [&](double& number) {
      constexpr double kStep = 1e-5;
      const double kept = number;
      number = kept + kStep;
      const double above = loss(x, at, weights);
      number = kept - kStep;
      const double below = loss(x, at, weights);
      number = kept;
      return (above - below) / (2 * kStep);
    };
    const auto close = [](double is, double wanted) {
      return std::abs(is - wanted) <= 1e-7 * (1 + std::abs(wanted));
    };
    for (int64_t h = 0; h < kHeads; ++h)
      CHECK(close(temperature.grad().data<double>()[h], difference(at[h])));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double slope = is_code(i) ? slope_of(codes, qkv.value().data<double>()[i]) : 1;
      CHECK(close(qkv.grad().data<double>()[i], slope * difference(x[i])));
    }
  }

  Codes codes;
  int64_t tokens;
  Variable qkv, temperature;
  Tensor dout;

 private:
  template <class Weights>
  double loss(const std::vector<double>& x, const double* at, Weights weights) const {
    const std::vector<double> out = attend(x, at, weights);
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * dout.data<double>()[i];
    return sum;
  }
};

/// The same in float32, requiring gradients.
inline Variable narrow(const Variable& x) { return Variable(x.value().to(DType::kF32), true); }

}  // namespace shiftadd::test
