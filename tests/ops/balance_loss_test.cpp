// balance_loss: gradient check, its optimum, latencies, errors. Golden values: mixture_test.cpp.
#include "autograd/mixture.h"
#include "tests/ops/kernels_test.h"
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using namespace autograd;

namespace {

Routing routing_of(const Variable& logits, const Tensor& noisy) { return {logits, noisy, {}}; }

// Logits of a router that is sure: so many tokens to the first of two experts.
Routing sure(int64_t first, int64_t tokens) {
  const Tensor logits({tokens, 2});
  for (int64_t t = 0; t < tokens; ++t) {
    logits.data<float>()[2 * t] = t < first ? 40 : -40;
    logits.data<float>()[2 * t + 1] = 0;
  }
  return routing_of(Variable(logits), logits);
}

}  // namespace

TEST_CASE("balance_loss: gradient check") {
  for (int64_t experts : {2, 3})
    for (double sigma : {0.5, 0.0}) {
      const std::vector<double> alpha = {0.6, 0.3, 0.1};
      const Tensor noisy = random_normal({17, experts}, 9);
      check_gradients(
          [&](const auto& in) {
            return balance_loss(routing_of(in[0], noisy), std::span(alpha).first(experts), sigma)
                .loss;
          },
          {{17, experts}});
    }
}

TEST_CASE("balance_loss: its optimum gives each expert the same time") {
  // Latencies 6 and 4: 40 % of the tokens to the first.
  const std::vector<double> alpha = latency_alpha(std::vector<double>{6, 4});
  CHECK(alpha[0] == doctest::Approx(0.6));
  CHECK(alpha[1] == doctest::Approx(0.4));
  const BalanceLoss best = balance_loss(sure(40, 100), alpha, 0.5);
  CHECK(best.importance[0] == doctest::Approx(24));
  CHECK(best.load[1] == doctest::Approx(24));
  CHECK(best.importance_scv == doctest::Approx(0));
  CHECK(best.load_scv == doctest::Approx(0));
  for (int64_t first : {0, 30, 50, 100}) {
    const BalanceLoss loss = balance_loss(sure(first, 100), alpha, 0.5);
    const double a = 0.6 * static_cast<double>(first), b = 0.4 * static_cast<double>(100 - first);
    const double scv = (a - b) * (a - b) / 2 / ((a + b) * (a + b) / 4);
    CHECK(loss.importance_scv == doctest::Approx(scv));
    CHECK(loss.load_scv == doctest::Approx(scv));
    CHECK(loss.loss.value().data<float>()[0] == doctest::Approx(2 * scv));
  }
  // Equal weights, whatever their size.
  const BalanceLoss even = balance_loss(sure(50, 100), std::vector<double>{1, 1}, 0.5);
  CHECK(even.loss.value().data<float>()[0] == doctest::Approx(0));
}

TEST_CASE("balance_loss: errors") {
  const Variable logits = variable({5, 2});
  const Routing routing = routing_of(logits, logits.value());
  const auto with = [&](const std::vector<double>& alpha, double sigma = 0.5) {
    return [&routing, alpha, sigma] { balance_loss(routing, alpha, sigma); };
  };
  check_error(with({0.5, 0}),
              "[balance_loss] alpha of expert 1 is 0: expected a finite number above 0");
  check_error(with({std::nan(""), 1}),
              "[balance_loss] alpha of expert 0 is nan: expected a finite number above 0");
  check_error(with({1}), "[balance_loss] 1 alphas for 2 experts");
  check_error(with({1, 1}, -1), "[balance_loss] sigma is -1: expected a finite number >= 0");
  const std::vector<double> alpha = {1, 1};
  check_error(
      [&] {
        balance_loss(routing_of(logits, Tensor({5, 3})), alpha, 0.5);
      },
      "[balance_loss] noisy is (5, 3): expected (5, 2)");
  check_error([&] { balance_loss(routing_of(logits, {}), alpha, 0.5); },
              "[balance_loss] noisy is undefined");
  check_error(
      [&] {
        balance_loss(routing_of(variable({5, 1}), Tensor({5, 1})), alpha, 0.5);
      },
      "[balance_loss] logits are (5, 1): expected at least one token and two experts");
  check_error(
      [] {
        latency_alpha(std::vector<double>{6, 0});
      },
      "[latency_alpha] latency of expert 1 is 0: expected a finite number above 0");
}

}  // namespace shiftadd::test
