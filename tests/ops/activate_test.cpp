// activate: closed forms, gelu's bits, gradients, threads, errors.
#include <cmath>

#include "core/parallel.h"
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::activate;

namespace {

constexpr HiddenActivation kKinds[] = {HiddenActivation::kGelu, HiddenActivation::kGeluTanh,
                                       HiddenActivation::kQuickGelu, HiddenActivation::kRelu,
                                       HiddenActivation::kSwiGlu};

// Values and gradient of activate, one after the other.
std::vector<float> both(const Shape& shape, HiddenActivation kind) {
  const Variable x = variable(shape);
  const Variable y = activate(x, kind);
  std::vector<float> all = values(y.value());
  y.backward(variable(y.shape(), 2, false).value());
  const std::vector<float> gradient = values(x.grad());
  all.insert(all.end(), gradient.begin(), gradient.end());
  return all;
}

}  // namespace

TEST_CASE("activate: closed forms") {
  const std::vector<float> points = {-3, -1, -0.25, 0, 0.5, 2};
  const Variable x(Tensor::from<float>(points, {2, 3}));
  const auto check = [&](HiddenActivation kind, const std::function<double(double)>& expected) {
    const std::vector<float> y = values(activate(x, kind).value());
    for (std::size_t i = 0; i < y.size(); ++i)
      CHECK(y[i] == doctest::Approx(expected(points[i])).epsilon(1e-6));
  };
  check(HiddenActivation::kGelu, [](double v) { return v / 2 * (1 + std::erf(v / std::sqrt(2))); });
  check(HiddenActivation::kGeluTanh, [](double v) {
    const double pi = 3.14159265358979323846;
    return v / 2 * (1 + std::tanh(std::sqrt(2 / pi) * (v + 0.044715 * v * v * v)));
  });
  check(HiddenActivation::kQuickGelu, [](double v) { return v / (1 + std::exp(-1.702 * v)); });
  check(HiddenActivation::kRelu, [](double v) { return v > 0 ? v : 0; });
}

TEST_CASE("activate: swiglu's gate is the first half of the channels") {
  const Variable x(Tensor::from<float>({1, -2, 10, 20, 0, 3, 5, 7}, {2, 4}));
  const Variable y = activate(x, HiddenActivation::kSwiGlu);
  CHECK(y.shape() == Shape{2, 2});
  const std::vector<float> found = values(y.value());
  const auto silu = [](double v) { return v / (1 + std::exp(-v)); };
  const double expected[] = {10 * silu(1), 20 * silu(-2), 0, 7 * silu(3)};
  for (int i = 0; i < 4; ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-6));
}

TEST_CASE("activate: gelu has the bits of gelu, forward and backward") {
  const Variable x = variable({17, 197}), same(x.value().clone(), true);
  const Variable y = activate(x, HiddenActivation::kGelu), expected = autograd::gelu(same);
  CHECK(values(y.value()) == values(expected.value()));
  y.backward(variable({17, 197}, 2).value());
  expected.backward(variable({17, 197}, 2).value());
  CHECK(values(x.grad()) == values(same.grad()));
}

TEST_CASE("activate: gradient checks") {
  for (HiddenActivation kind : kKinds) {
    const int64_t inputs = inputs_of(kind);
    const Function function = [kind](const auto& in) { return activate(in[0], kind); };
    for (const Shape& shape : {Shape{inputs}, {3, 17 * inputs}, {2, 3, inputs}, {197 * inputs}})
      check_gradients(function, {shape});
  }
}

TEST_CASE("activate: the same bits with one thread and two") {
  for (HiddenActivation kind : kKinds) {
    const Shape shape = {197, 197 * inputs_of(kind)};
    std::vector<float> one;
    {
      Threads threads(1);
      one = both(shape, kind);
    }
    Threads threads(2);
    CHECK(both(shape, kind) == one);
  }
}

TEST_CASE("activate: errors") {
  check_error([] { activate({}, HiddenActivation::kRelu); }, "[activate] input is undefined");
  check_error(
      [] {
        activate(variable({2, 5}), HiddenActivation::kSwiGlu);
      },
      "[activate] input is (2, 5): expected a last dimension divisible by 2");
  check_error([] { activate(variable({}), HiddenActivation::kRelu); },
              "[activate] input is (): expected at least 1 dimension");
}

}  // namespace shiftadd::test
