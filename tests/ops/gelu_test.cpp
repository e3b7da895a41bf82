// gelu: golden values, gradients.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
TEST_CASE("gelu: golden") {
  GoldenCase golden("gelu");
  golden.check(autograd::gelu(golden.leaf("input")));
}

TEST_CASE("gelu: gradient check") {
  const Function gelu = [](const auto& in) { return autograd::gelu(in[0]); };
  for (const Shape& shape : {Shape{1}, {3, 17}, {197}}) check_gradients(gelu, {shape});
}

TEST_CASE("gelu: errors") {
  check_error([] { autograd::gelu({}); }, "[gelu] input is undefined");
}

}  // namespace shiftadd::test
