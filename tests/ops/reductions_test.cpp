// sum, mean: values, gradients, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using namespace autograd;

TEST_CASE("reductions: values") {
  const Variable x(Tensor::from<float>({1, 2, 3, 6}, {2, 2}));
  CHECK(values(sum(x).value()) == std::vector<float>{12});
  CHECK(values(mean(x).value()) == std::vector<float>{3});
  CHECK(sum(x).shape() == Shape{});
}

TEST_CASE("reductions: gradient checks") {
  for (const Shape& shape : {Shape{}, {1}, {3, 17}}) {
    check_gradients([](const auto& in) { return sum(in[0]); }, {shape});
    check_gradients([](const auto& in) { return mean(multiply(in[0], in[0])); }, {shape});
  }
}

TEST_CASE("reductions: errors") {
  check_error([] { sum({}); }, "[sum] input is undefined");
  check_error(
      [] {
        mean(variable({0, 3}));
      },
      "[mean] input is (0, 3): expected at least one element");
}

}  // namespace shiftadd::test
