// softmax: golden values, gradients, large numbers, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
TEST_CASE("softmax: golden") {
  GoldenCase golden("softmax");
  golden.check(autograd::softmax(golden.leaf("x")));
}

TEST_CASE("softmax: gradient check") {
  const Function softmax = [](const auto& in) { return autograd::softmax(in[0]); };
  for (const Shape& shape : {Shape{3, 1}, {17}, {3, 5, 7}}) check_gradients(softmax, {shape});
}

TEST_CASE("softmax: large logits do not overflow") {
  const Variable x(Tensor::from<float>({1000, 1000, -1000}, {1, 3}));
  const std::vector<float> expected{0.5f, 0.5f, 0};
  check_close(autograd::softmax(x).value(), Tensor::from(expected, {1, 3}), 1e-6, "large");
}

TEST_CASE("softmax: errors") {
  check_error([] { autograd::softmax(variable({})); },
              "[softmax] input is (): expected at least 1 dimension");
}

}  // namespace shiftadd::test
