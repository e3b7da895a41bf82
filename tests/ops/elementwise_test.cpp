// add, subtract, multiply, scale, add_broadcast: values, gradients, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using namespace autograd;

TEST_CASE("elementwise: values") {
  const Variable a(Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3})),
      b(Tensor::from<float>({6, 5, 4, 3, 2, 1}, {2, 3}));
  CHECK(values(add(a, b).value()) == std::vector<float>(6, 7));
  CHECK(values(subtract(a, b).value()) == std::vector<float>{-5, -3, -1, 1, 3, 5});
  CHECK(values(multiply(a, b).value()) == std::vector<float>{6, 10, 12, 12, 10, 6});
  CHECK(values(scale(a, -2).value()) == std::vector<float>{-2, -4, -6, -8, -10, -12});
  const Variable row(Tensor::from<float>({10, 20, 30}, {3}));
  CHECK(values(add_broadcast(a, row).value()) == std::vector<float>{11, 22, 33, 14, 25, 36});
}

TEST_CASE("elementwise: gradient checks") {
  for (const Shape& shape : {Shape{}, {1}, {3, 17}, {197}}) {
    check_gradients([](const auto& in) { return add(in[0], in[1]); }, {shape, shape});
    check_gradients([](const auto& in) { return subtract(in[0], in[1]); }, {shape, shape});
    check_gradients([](const auto& in) { return multiply(in[0], in[1]); }, {shape, shape});
    check_gradients([](const auto& in) { return scale(in[0], 1.7); }, {shape});
  }
  // The same variable on both sides, and a gradient handed to two users.
  check_gradients(
      [](const auto& in) { return multiply(add(in[0], in[0]), subtract(in[0], in[1])); },
      {{5}, {5}});
  check_gradients([](const auto& in) { return scale(gelu(add(gelu(in[0]), scale(in[1], 2))), 3); },
                  {{5}, {5}});
  for (const Shape& suffix : {Shape{}, {3}, {5, 3}, {2, 5, 3}})
    check_gradients([](const auto& in) { return add_broadcast(in[0], in[1]); },
                    {{2, 5, 3}, suffix});
}

TEST_CASE("elementwise: errors") {
  const Variable a = variable({2, 3}), b = variable({3, 2});
  check_error([&] { add(a, b); }, "[add] b is (3, 2): expected (2, 3)");
  check_error([&] { subtract(a, b); }, "[subtract] b is (3, 2): expected (2, 3)");
  check_error([&] { multiply(a, b); }, "[multiply] b is (3, 2): expected (2, 3)");
  check_error([&] { scale({}, 1); }, "[scale] input is undefined");
  check_error([&] { add_broadcast(a, variable({2})); },
              "[add_broadcast] b is (2,), a is (2, 3): expected b to be a suffix of a");
}

}  // namespace shiftadd::test
