// dropout, drop_path: statistics, repeatability, gradients, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using namespace autograd;

TEST_CASE("dropout: keeps the expected share, scaled") {
  const Variable x(Tensor::full({100, 100}, 1));
  double total = 0;
  for (float v : values(dropout(x, 0.25, 7, 3).value())) {
    CHECK((v == 0 || v == doctest::Approx(1 / 0.75)));
    total += v;
  }
  CHECK(total / 10000 == doctest::Approx(1).epsilon(0.03));  // deviation of the mean: 0.006
}

TEST_CASE("drop_path: drops whole images") {
  const Variable y = drop_path(Variable(Tensor::full({400, 3, 5}, 1)), 0.5, 7, 3);
  const std::vector<float> v = values(y.value());
  int kept = 0;
  for (int64_t b = 0; b < 400; ++b) {
    for (int64_t i = 0; i < 15; ++i) CHECK(v[b * 15 + i] == v[b * 15]);
    CHECK((v[b * 15] == 0 || v[b * 15] == 2));
    kept += v[b * 15] > 0;
  }
  CHECK(kept > 150);
  CHECK(kept < 250);
}

TEST_CASE("dropout: a function of seed and stream") {
  const Variable x = variable({17, 197});
  const auto draw = [&](uint64_t seed, uint64_t stream) {
    return values(dropout(x, 0.5, seed, stream).value());
  };
  CHECK(draw(1, 2) == draw(1, 2));
  CHECK(draw(1, 2) != draw(1, 3));
  CHECK(draw(1, 2) != draw(2, 2));
  CHECK(dropout(x, 0, 1, 2).value().shares_memory(x.value()));
}

TEST_CASE("drop: gradient checks") {
  check_gradients([](const auto& in) { return dropout(in[0], 0.3, 5, 6); }, {{3, 17}});
  check_gradients([](const auto& in) { return drop_path(in[0], 0.5, 5, 6); }, {{17, 3}});
}

TEST_CASE("drop: errors") {
  check_error([] { dropout(variable({3}), 1, 0, 0); },
              "[dropout] probability is 1: expected 0 <= probability < 1");
  check_error([] { drop_path(variable({3}), -0.5, 0, 0); },
              "[drop_path] probability is -0.5: expected 0 <= probability < 1");
  check_error([] { drop_path(variable({}), 0.5, 0, 0); },
              "[drop_path] input is (): expected at least 1 dimension");
}

}  // namespace shiftadd::test
