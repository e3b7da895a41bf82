// gelu_linear: equals linear after gelu, gradients, memory, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::gelu;
using autograd::gelu_linear;
using autograd::linear;

TEST_CASE("gelu_linear: equals the composition") {
  const auto run = [](bool fused) {
    const Variable x = variable({2, 17, 9}), w = variable({5, 9}, 2), b = variable({5}, 3),
                   r = variable({2, 17, 5}, 4);
    const Variable y = fused ? gelu_linear(x, w, b, r) : linear(gelu(x), w, b, r);
    y.backward(random_normal({2, 17, 5}, 5).to(DType::kF32));
    return std::vector<Tensor>{y.value(), x.grad(), w.grad(), b.grad(), r.grad()};
  };
  const auto fused = run(true), composed = run(false);
  for (std::size_t i = 0; i < fused.size(); ++i)
    check_close(fused[i], composed[i], 1e-6, concat("result ", i));
}

TEST_CASE("gelu_linear: gradient check") {
  check_gradients([](const auto& in) { return gelu_linear(in[0], in[1], in[2], in[3]); },
                  {{3, 5, 7}, {4, 7}, {4}, {3, 5, 4}});
  check_gradients([](const auto& in) { return gelu_linear(in[0], in[1], {}); }, {{1, 3}, {1, 3}});
}

TEST_CASE("gelu_linear: frozen weights still pass the gradient on") {
  const auto gradient = [](bool frozen) {
    Variable x = variable({3, 5}), w = variable({7, 5}, 2);
    w.set_requires_grad(!frozen);
    gelu_linear(x, w, {}).backward(random_normal({3, 7}, 5).to(DType::kF32));
    CHECK(w.grad().defined() == !frozen);
    return values(x.grad());
  };
  CHECK(gradient(true) == gradient(false));
}

TEST_CASE("gelu_linear: errors") {
  check_error(
      [] {
        gelu_linear(variable({3, 5}), variable({7, 6}), {});
      },
      "[gelu_linear] weight is (7, 6), input is (3, 5): expected last dimension 6");
}

}  // namespace shiftadd::test
