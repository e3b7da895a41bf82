// attention_codes: each estimator against its declared surrogate.
#include <numbers>

#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::attention_codes;

namespace {

constexpr int64_t kBatch = 2, kTokens = 7, kHeads = 3, kDim = 5;
const Shape kShape = {kBatch, kTokens, kHeads* kDim};

// body(first element, image, head) of every row.
void for_rows(const std::function<void(int64_t, int64_t, int64_t)>& body) {
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t n = 0; n < kTokens; ++n)
      for (int64_t h = 0; h < kHeads; ++h) body(((b * kTokens + n) * kHeads + h) * kDim, b, h);
}

double length(const float* x) {
  double squares = 1e-12;
  for (int64_t j = 0; j < kDim; ++j) squares += static_cast<double>(x[j]) * x[j];
  return std::sqrt(squares);
}

struct Expected {
  Tensor value = Tensor::zeros(kShape), gradient = Tensor::zeros(kShape);
};

// The declared surrogate, in words of autograd/ops.h, for the gradient g of the codes.
Expected surrogate(const Tensor& input, const Tensor& cotangent, Codes codes) {
  Expected e;
  const float *x = input.data<float>(), *g = cotangent.data<float>();
  std::vector<double> mean(kBatch * kHeads);
  for_rows([&](int64_t i, int64_t b, int64_t h) {
    for (int64_t j = i; j < i + kDim; ++j)
      mean[b * kHeads + h] += x[j] / length(x + i) / (kTokens * kDim);
  });
  if (codes == Codes::kUnitBatch) {
    double all = 0;
    for (double m : mean) all += m / static_cast<double>(mean.size());
    mean.assign(mean.size(), all);
  }
  for_rows([&](int64_t i, int64_t b, int64_t h) {
    const double norm = length(x + i), root = std::sqrt(static_cast<double>(kDim));
    std::vector<double> passed(kDim);
    double along = 0;
    for (int64_t j = 0; j < kDim; ++j) {
      const double value = x[i + j], unit = value / norm;
      double code = unit;
      passed[j] = g[i + j];
      if (codes == Codes::kSign) {
        code = (value >= 0 ? 1 : -1) / root;
        passed[j] = std::abs(value) <= 1 ? g[i + j] / root : 0;
      } else if (codes == Codes::kBipolar2) {
        const double step = kBipolarStep;
        const int level = value < -step ? -3 : value < 0 ? -1 : value < step ? 1 : 3;
        code = level / std::sqrt(5.0 * kDim);
        passed[j] =
            std::abs(x[i + j]) <= kBipolarEdge ? g[i + j] * 2 / (step * std::sqrt(5.0 * kDim)) : 0;
      } else if (codes != Codes::kNone) {
        code = unit > mean[b * kHeads + h] ? 1 : 0;
        passed[j] = unit >= 0 && unit <= 1 ? g[i + j] : 0;
      }
      e.value.data<float>()[i + j] = static_cast<float>(code);
      along += passed[j] * unit;
    }
    for (int64_t j = 0; j < kDim; ++j)
      e.gradient.data<float>()[i + j] = static_cast<float>(
          is_whole(codes) ? passed[j] : (passed[j] - x[i + j] / norm * along) / norm);
  });
  return e;
}

}  // namespace

TEST_CASE("attention_codes: estimators follow their declared surrogates") {
  for (Codes codes :
       {Codes::kNone, Codes::kSign, Codes::kUnitHead, Codes::kUnitBatch, Codes::kBipolar2}) {
    INFO("codes ", static_cast<int>(codes));
    const Tensor input = variable(kShape).value().clone();
    // The edges: 0 and -0 are +1, a step is the upper level; 1 and -1, of two bits 1.5 steps, are
    // within the window, their neighbours beyond.
    std::vector<float> edges = {0.f, -0.f};
    for (const float edge : {1.f, kBipolarStep, kBipolarEdge})
      for (const float x : {edge, std::nextafter(edge, 2.f), std::nextafter(edge, 0.f)})
        edges.insert(edges.end(), {x, -x});
    std::copy(std::begin(edges), std::end(edges), input.data<float>());
    const Variable x(input, true);
    const Tensor cotangent = variable(kShape, 2).value();
    const Variable y = attention_codes(x, kHeads, codes);
    const Expected expected = surrogate(input, cotangent, codes);
    check_close(y.value(), expected.value, 1e-6, "codes");
    y.backward(cotangent.clone());
    check_close(x.grad(), expected.gradient, 1e-5, "gradient");
  }
}

TEST_CASE("attention_codes: none is differentiable") {
  check_gradients([](const auto& in) { return attention_codes(in[0], 2, Codes::kNone); },
                  {{2, 3, 10}});
  check_gradients([](const auto& in) { return attention_codes(in[0], 1, Codes::kNone); },
                  {{1, 1, 3}});
}

TEST_CASE("attention_codes: linear_angular_attention composed of codes and products") {
  // One head: a = v / 2 + q (k^T v) / pi, and o = a / |a| is attention_codes(a, none).
  for (Codes codes : {Codes::kNone, Codes::kSign, Codes::kUnitHead, Codes::kUnitBatch}) {
    const int64_t tokens = 13, d = 6;
    const Variable q = variable({2, tokens, d}), k = variable({2, tokens, d}, 2),
                   v = variable({2, tokens, d}, 3);
    Tensor fused({2, tokens, 3 * d});
    for (int64_t i = 0; i < fused.numel(); ++i) {
      const int64_t row = i / (3 * d), part = i / d % 3, j = i % d;
      fused.data<float>()[i] = (part == 0   ? q
                                : part == 1 ? k
                                            : v)
                                   .value()
                                   .data<float>()[row * d + j];
    }
    const Variable qkv(fused, true);
    const Variable kv = autograd::matmul(autograd::transpose_last(attention_codes(k, 1, codes)), v);
    const Variable a = autograd::add(
        autograd::scale(v, 0.5),
        autograd::scale(autograd::matmul(attention_codes(q, 1, codes), kv), 1 / std::numbers::pi));
    const Variable composed = attention_codes(a, 1, Codes::kNone);
    autograd::LinearAngularOptions options;
    options.codes = codes;
    const Variable out = autograd::linear_angular_attention(qkv, {}, options);
    check_close(out.value(), composed.value(), 1e-5, "values");
    const Tensor cotangent = variable({2, tokens, d}, 4).value();
    composed.backward(cotangent.clone());
    out.backward(cotangent.clone());
    Tensor expected(fused.shape());
    for (int64_t i = 0; i < fused.numel(); ++i) {
      const int64_t row = i / (3 * d), part = i / d % 3, j = i % d;
      expected.data<float>()[i] = (part == 0   ? q
                                   : part == 1 ? k
                                               : v)
                                      .grad()
                                      .data<float>()[row * d + j];
    }
    check_close(qkv.grad(), expected, 2e-5, "gradient");
  }
}

TEST_CASE("attention_codes: errors") {
  check_error(
      [] {
        attention_codes(variable({2, 5}), 1, Codes::kSign);
      },
      "[attention_codes] x is (2, 5): expected 3 dimensions");
  check_error(
      [] {
        attention_codes(variable({2, 5, 4}), 3, Codes::kSign);
      },
      "[attention_codes] input is (2, 5, 4) with 3 heads: expected a number of heads that "
      "divides 4");
}

}  // namespace shiftadd::test
