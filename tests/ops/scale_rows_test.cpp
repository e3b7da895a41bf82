// scale_rows: values, gradients, folding, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::scale_rows;

TEST_CASE("scale_rows: values of a weight and of a bias") {
  const Variable weight(Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}));
  const Variable factors(Tensor::from<float>({10, -0.5}, {2}));
  CHECK(values(scale_rows(weight, factors).value()) ==
        std::vector<float>{10, 20, 30, -2, -2.5, -3});
  const Variable bias(Tensor::from<float>({7, 8}, {2}));
  CHECK(values(scale_rows(bias, factors).value()) == std::vector<float>{70, -4});
}

TEST_CASE("scale_rows: a linear layer of it is that layer's output times the factors") {
  const Variable x = variable({5, 17}), weight = variable({3, 17}, 2), bias = variable({3}, 3),
                 factors = variable({3}, 4);
  const Variable folded =
      autograd::linear(x, scale_rows(weight, factors), scale_rows(bias, factors));
  const Variable after = autograd::scale_channels(autograd::linear(x, weight, bias), factors);
  check_close(folded.value(), after.value(), 1e-6, "folded factors");
}

TEST_CASE("scale_rows: gradient checks") {
  const Function function = [](const auto& in) { return scale_rows(in[0], in[1]); };
  for (const Shape& shape : {Shape{1}, {17}, {3, 1}, {1, 197}, {17, 3}, {3, 2, 5, 1}})
    check_gradients(function, {shape, {shape.front()}});
  check_gradients([](const auto& in) { return scale_rows(gelu(in[0]), gelu(in[1])); },
                  {{3, 5}, {3}});
}

TEST_CASE("scale_rows: errors") {
  check_error(
      [] {
        scale_rows(variable({2, 3}), variable({3}));
      },
      "[scale_rows] factors is (3,): expected (2,)");
  check_error([] { scale_rows({}, variable({3})); }, "[scale_rows] weight is undefined");
}

}  // namespace shiftadd::test
