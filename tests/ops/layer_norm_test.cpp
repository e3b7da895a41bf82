// layer_norm: golden values, gradients, the fused residual, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::layer_norm;

TEST_CASE("layer_norm: golden") {
  for (const std::string& name : golden_cases("layer_norm_")) {
    GoldenCase golden(name);
    golden.check(layer_norm(golden.leaf("x"), golden.leaf("w"), golden.leaf("bias"),
                            golden.attributes().at("eps").get<double>()));
  }
}

TEST_CASE("layer_norm: gradient check") {
  const Function norm = [](const auto& in) { return layer_norm(in[0], in[1], in[2], 1e-5); };
  for (const int64_t width : {2, 3, 17}) check_gradients(norm, {{3, 5, width}, {width}, {width}});
  // The residual branch: its gradient is taken out of the tape and added inside the kernel.
  check_gradients([&](const auto& in) { return autograd::add(in[0], norm(in)); },
                  {{5, 7}, {7}, {7}});
  check_gradients(
      [&](const auto& in) {
        const Variable x = autograd::scale(in[0], 3);
        return autograd::add(autograd::add(x, layer_norm(x, in[1], in[2], 1e-5)),
                             autograd::multiply(x, x));
      },
      {{5, 7}, {7}, {7}});
}

TEST_CASE("layer_norm: a column of one has no variance") {
  const Variable x = variable({3, 1}), gamma = variable({1}, 2), beta = variable({1}, 3);
  const Variable y = layer_norm(x, gamma, beta, 1e-6);
  CHECK(values(y.value()) == std::vector<float>(3, values(beta.value())[0]));
}

TEST_CASE("layer_norm: errors") {
  const Variable x = variable({2, 5});
  check_error([&] { layer_norm(x, variable({4}), variable({5}), 1e-6); },
              "[layer_norm] gamma is (4,): expected (5,)");
  check_error(
      [&] {
        layer_norm(x, variable({5}), variable({1, 5}), 1e-6);
      },
      "[layer_norm] beta is (1, 5): expected (5,)");
  check_error([&] { layer_norm(x, variable({5}), variable({5}), 0); },
              "[layer_norm] eps is 0: expected a positive number");
}

}  // namespace shiftadd::test
