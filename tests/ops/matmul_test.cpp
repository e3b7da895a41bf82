// matmul: values, gradients, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::matmul;

TEST_CASE("matmul: values") {
  const Variable a(Tensor::from<float>({1, 2, 3, 4}, {1, 2, 2})),
      b(Tensor::from<float>({5, 6, 7, 8}, {1, 2, 2}));
  CHECK(values(matmul(a, b).value()) == std::vector<float>{19, 22, 43, 50});
}

TEST_CASE("matmul: gradient check") {
  const Function product = [](const auto& in) { return matmul(in[0], in[1]); };
  check_gradients(product, {{1, 1}, {1, 1}});
  check_gradients(product, {{3, 5}, {5, 7}});
  check_gradients(product, {{2, 3, 5, 1}, {2, 3, 1, 7}});
}

TEST_CASE("matmul: errors") {
  check_error(
      [] {
        matmul(variable({2, 3, 5}), variable({2, 4, 7}));
      },
      "[matmul] a is (2, 3, 5), b is (2, 4, 7): expected (..., m, k) and (..., k, n) with equal "
      "leading axes");
  check_error(
      [] {
        matmul(variable({2, 3, 5}), variable({5, 7}));
      },
      "[matmul] a is (2, 3, 5), b is (5, 7): expected (..., m, k) and (..., k, n) with equal "
      "leading axes");
}

}  // namespace shiftadd::test
