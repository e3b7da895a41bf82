// Top-k.
#include "infer/predictions.h"

#include <cmath>

#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::infer;

TEST_CASE("top_k gives probabilities, best first, lower index first among equals") {
  const std::vector<float> logits = {1, 3, 3, -2};
  const auto best = top_k(logits.data(), 4, 3);
  REQUIRE(best.size() == 3);
  CHECK(best[0].index == 1);
  CHECK(best[1].index == 2);
  CHECK(best[2].index == 0);
  const double total = std::exp(1.0) + 2 * std::exp(3.0) + std::exp(-2.0);
  CHECK(best[0].probability == doctest::Approx(std::exp(3.0) / total).epsilon(1e-12));
  CHECK(top_k(logits.data(), 4, 100).size() == 4);
}

TEST_CASE("top_k survives large logits") {
  const std::vector<float> logits = {10000, 9999};
  CHECK(top_k(logits.data(), 2, 1)[0].probability == doctest::Approx(1 / (1 + std::exp(-1.0))));
}
