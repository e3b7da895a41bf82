// depthwise_conv2d: golden values, gradients, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::depthwise_conv2d;

TEST_CASE("depthwise_conv2d: golden") {
  GoldenCase golden("depthwise_conv2d");
  golden.check(depthwise_conv2d(golden.leaf("x"), golden.leaf("w"), golden.leaf("bias"),
                                golden.attributes().at("stride").get<int64_t>(),
                                golden.attributes().at("padding").get<int64_t>()));
}

TEST_CASE("depthwise_conv2d: gradient check") {
  check_gradients([](const auto& in) { return depthwise_conv2d(in[0], in[1], in[2], 1, 1); },
                  {{2, 3, 5, 4}, {3, 1, 3, 3}, {3}});
  check_gradients([](const auto& in) { return depthwise_conv2d(in[0], in[1], {}, 2, 0); },
                  {{1, 3, 4, 5}, {3, 1, 1, 3}});
}

TEST_CASE("depthwise_conv2d: errors") {
  check_error(
      [] {
        depthwise_conv2d(variable({2, 3, 5, 7}), variable({4, 1, 3, 3}), {}, 1, 1);
      },
      "[depthwise_conv2d] weight is (4, 1, 3, 3), input is (2, 3, 5, 7): expected one filter (3, "
      "1, h, w) "
      "per channel");
}

}  // namespace shiftadd::test
