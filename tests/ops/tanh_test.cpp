// tanh: closed form, gradients, errors.
#include <cmath>

#include "tests/ops/op_test.h"

namespace shiftadd::test {

TEST_CASE("tanh: closed form") {
  const std::vector<float> points = {-30, -2, -0.3f, 0, 0.01f, 0.7f, 5};
  const std::vector<float> y =
      values(autograd::tanh(Variable(Tensor::from<float>(points, {7}))).value());
  for (std::size_t i = 0; i < y.size(); ++i)
    CHECK(y[i] == doctest::Approx(std::tanh(static_cast<double>(points[i]))).epsilon(1e-6));
}

TEST_CASE("tanh: gradient checks") {
  const Function tanh = [](const auto& in) { return autograd::tanh(in[0]); };
  for (const Shape& shape : {Shape{1}, {3, 17}, {197}}) check_gradients(tanh, {shape});
}

TEST_CASE("tanh: errors") {
  check_error([] { autograd::tanh({}); }, "[tanh] input is undefined");
}

}  // namespace shiftadd::test
