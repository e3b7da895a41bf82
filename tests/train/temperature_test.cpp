// Temperatures by least squares: exact where the floats are the codes times a number, and the best
// of those nearby elsewhere.
#include "train/temperature.h"

#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "model/network.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

constexpr int64_t kHeads = 2, kDim = 4, kWidth = kHeads * kDim, kTokens = 7;

AttentionSpec attention_of(Codes codes) {
  AttentionSpec spec;
  spec.heads = kHeads;
  spec.head_dim = kDim;
  spec.codes = {codes, kDim};
  return spec;
}

// q, k and v of all tokens in one tensor, as a layer makes them.
layers::AttentionTrace trace_of(const Tensor& qkv) {
  layers::AttentionTrace trace;
  trace.q = trace.k = qkv;
  trace.k_column = kWidth;
  return trace;
}

Tensor random_qkv() { return autograd::random_normal({2, kTokens, 3 * kWidth}, 1).to(DType::kF32); }

// Codes of q and k in place of q and k, q's of each head times a factor.
Tensor coded(const Tensor& qkv, Codes codes, const float* factors) {
  const Tensor out = qkv.clone();
  for (int64_t i = 0; i < out.numel(); ++i) {
    const int64_t column = i % (3 * kWidth);
    float& x = out.data<float>()[i];
    const float step = kBipolarStep, sign = x < 0 ? -1.0f : 1.0f;
    const bool outer = x < 0 ? x < -step : x >= step;
    if (column >= 2 * kWidth) continue;
    x = codes == Codes::kSign ? sign : sign * (outer ? 3 : 1) / std::sqrt(5.0f);
    if (column < kWidth) x *= factors[column / kDim];
  }
  return out;
}

}  // namespace

TEST_CASE("fitted temperatures: those that the floats were made with") {
  const float factors[] = {0.6f, 2.5f};
  for (const Codes codes : {Codes::kSign, Codes::kBipolar2}) {
    const Tensor qkv = random_qkv();
    const std::vector<double> fitted = train::fitted_temperatures(
        attention_of(codes), trace_of(qkv), trace_of(coded(qkv, codes, factors)));
    REQUIRE(fitted.size() == 2);
    for (std::size_t h = 0; h < 2; ++h)
      CHECK(fitted[h] == doctest::Approx(factors[h]).epsilon(1e-5));
  }
}

TEST_CASE("fitted temperatures: least squares of centred products, and never below the least") {
  const Tensor qkv = random_qkv();
  const float ones[] = {1, 1};
  const Tensor codes = coded(qkv, Codes::kBipolar2, ones);
  const std::vector<double> fitted =
      train::fitted_temperatures(attention_of(Codes::kBipolar2), trace_of(qkv), trace_of(qkv));
  // Products of a head, each less its mean over the keys.
  const auto centred = [](const Tensor& x, int64_t head, int64_t image, int64_t query) {
    std::vector<double> products(kTokens);
    double mean = 0;
    const float* rows = x.data<float>() + image * kTokens * 3 * kWidth + head * kDim;
    for (int64_t m = 0; m < kTokens; ++m) {
      for (int64_t j = 0; j < kDim; ++j)
        products[static_cast<std::size_t>(m)] += static_cast<double>(rows[query * 3 * kWidth + j]) *
                                                 rows[m * 3 * kWidth + kWidth + j] / std::sqrt(4.0);
      mean += products[static_cast<std::size_t>(m)] / kTokens;
    }
    for (double& product : products) product -= mean;
    return products;
  };
  for (int64_t h = 0; h < kHeads; ++h) {
    const auto error = [&](double temperature) {
      double sum = 0;
      for (int64_t b = 0; b < 2; ++b)
        for (int64_t n = 0; n < kTokens; ++n) {
          const std::vector<double> c = centred(codes, h, b, n), l = centred(qkv, h, b, n);
          for (std::size_t m = 0; m < c.size(); ++m)
            sum += (temperature * c[m] - l[m]) * (temperature * c[m] - l[m]);
        }
      return sum;
    };
    const double best = fitted[static_cast<std::size_t>(h)];
    CHECK(error(best) < error(best * 1.001));
    CHECK(error(best) < error(best * 0.999));
  }
  const float turned[] = {-1, -1};  // the best would be negative
  for (const double least :
       train::fitted_temperatures(attention_of(Codes::kBipolar2), trace_of(qkv),
                                  trace_of(coded(qkv, Codes::kBipolar2, turned))))
    CHECK(least == kLeastTemperature);
}
