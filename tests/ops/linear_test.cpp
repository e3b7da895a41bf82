// linear: golden values, gradients, residual, frozen weights, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::linear;

TEST_CASE("linear: golden") {
  GoldenCase golden("linear");
  golden.check(linear(golden.leaf("input"), golden.leaf("weight"), golden.leaf("bias")));
}

TEST_CASE("linear: gradient check") {
  const Function with_all = [](const auto& in) { return linear(in[0], in[1], in[2], in[3]); };
  check_gradients(with_all, {{3, 5, 7}, {4, 7}, {4}, {3, 5, 4}});
  check_gradients(with_all, {{1, 1}, {1, 1}, {1}, {1, 1}});
  check_gradients([](const auto& in) { return linear(in[0], in[1], {}); }, {{17, 3}, {5, 3}});
  // A computed weight (not a leaf) and a weight used twice.
  check_gradients(
      [](const auto& in) { return linear(in[0], autograd::multiply(in[1], in[1]), {}); },
      {{3, 3}, {5, 3}});
  check_gradients([](const auto& in) { return linear(linear(in[0], in[1], in[2]), in[1], in[2]); },
                  {{5, 3}, {3, 3}, {3}});
}

TEST_CASE("linear: the residual is added and its gradient passes through") {
  const Variable x = variable({3, 5}), w = variable({7, 5}, 2), b = variable({7}, 3),
                 r = variable({3, 7}, 4);
  const Variable fused = linear(x, w, b, r);
  check_close(fused.value(), autograd::add(linear(x, w, b), r).value(), 1e-6, "residual");
  const Tensor seed = random_normal({3, 7}, 5).to(DType::kF32);
  fused.backward(seed);
  CHECK(values(r.grad()) == values(seed));
}

TEST_CASE("linear: a frozen weight gets no gradient and its input is not kept") {
  const Variable w = variable({7, 5}, 2), b = variable({7}, 3);
  Variable frozen = w;
  frozen.set_requires_grad(false);
  const Tensor seed = Tensor::full({3, 7}, 1);
  Tensor input;
  Variable y;
  {
    const Variable x = variable({3, 5});
    input = x.value();
    y = linear(x, w, b);
    CHECK(input.use_count() == 2);  // ours and x's: the tape holds none
  }
  y.backward(seed);
  CHECK(!w.grad().defined());
  CHECK(values(b.grad()) == std::vector<float>(7, 3));
}

TEST_CASE("linear: the gradient of a leaf accumulates over passes") {
  const Variable x = variable({3, 5}), w = variable({7, 5}, 2), b = variable({7}, 3);
  const Tensor seed = random_normal({3, 7}, 5).to(DType::kF32);
  linear(x, w, b).backward(seed);
  const Tensor once = w.grad().clone(), once_x = x.grad().clone();
  linear(x, w, b).backward(seed);
  check_close(w.grad(), autograd::scale(Variable(once), 2).value(), 1e-6, "weight");
  check_close(x.grad(), autograd::scale(Variable(once_x), 2).value(), 1e-6, "input");
}

TEST_CASE("linear: errors") {
  const Variable x = variable({8, 197, 192}), w = variable({384, 96});
  check_error([&] { linear(x, w, {}); },
              "[linear] weight is (384, 96), input is (8, 197, 192): expected last dimension 96");
  const Variable good = variable({7, 192});
  check_error([&] { linear(x, good, variable({8})); }, "[linear] bias is (8,): expected (7,)");
  check_error(
      [&] {
        linear(x, good, {}, variable({8, 197, 8}));
      },
      "[linear] residual is (8, 197, 8): expected (8, 197, 7)");
  check_error([&] { linear(x, variable({192}), {}); },
              "[linear] weight is (192,): expected 2 dimensions");
  check_error([&] { linear({}, good, {}); }, "[linear] input is undefined");
  check_error(
      [&] {
        linear(x, Variable(random_normal({7, 192}, 1)), {});
      },
      "[linear] inputs are f32 and f64: expected one dtype for all");
}

}  // namespace shiftadd::test
