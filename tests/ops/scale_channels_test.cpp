// scale_channels: values, one rounding, gradients, threads, errors.
#include <cmath>

#include "core/parallel.h"
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::scale_channels;

TEST_CASE("scale_channels: values") {
  const Variable x(Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}));
  const Variable factors(Tensor::from<float>({10, -1, 0.5}, {3}));
  const Variable residual(Tensor::from<float>({1, 1, 1, 2, 2, 2}, {2, 3}));
  CHECK(values(scale_channels(x, factors).value()) == std::vector<float>{10, -2, 1.5, 40, -5, 3});
  CHECK(values(scale_channels(x, factors, residual).value()) ==
        std::vector<float>{11, -1, 2.5, 42, -3, 5});
}

TEST_CASE("scale_channels: product and residual are rounded once") {
  const Variable x = variable({3, 197}), factors = variable({197}, 2),
                 residual = variable({3, 197}, 3);
  const std::vector<float> y = values(scale_channels(x, factors, residual).value());
  for (int64_t i = 0; i < 3 * 197; ++i)
    CHECK(y[i] == std::fma(factors.value().data<float>()[i % 197], x.value().data<float>()[i],
                           residual.value().data<float>()[i]));
}

TEST_CASE("scale_channels: gradient checks") {
  const Function plain = [](const auto& in) { return scale_channels(in[0], in[1]); };
  const Function added = [](const auto& in) { return scale_channels(in[0], in[1], in[2]); };
  for (const Shape& shape : {Shape{1}, {3, 1}, {2, 3, 17}, {197}, {197, 3}}) {
    check_gradients(plain, {shape, {shape.back()}});
    check_gradients(added, {shape, {shape.back()}, shape});
  }
  // Computed factors return their gradient; x is its own residual.
  check_gradients(
      [](const auto& in) { return scale_channels(gelu(in[0]), gelu(in[1]), gelu(in[0])); },
      {{3, 5}, {5}});
  const Function itself = [](const auto& in) { return scale_channels(in[0], in[1], in[0]); };
  check_gradients(itself, {{3, 5}, {5}});
}

TEST_CASE("scale_channels: gradients have the same bits with one thread and two, and add up") {
  std::vector<std::vector<float>> found;
  for (int threads : {1, 2}) {
    Threads set(threads);
    const Variable x = variable({3, 197, 64}), factors = variable({64}, 2);
    for (int pass = 0; pass < 2; ++pass)
      scale_channels(x, factors).backward(variable({3, 197, 64}, 3).value().clone());
    found.push_back(values(factors.grad()));
    const std::vector<float> dx = values(x.grad());
    found.back().insert(found.back().end(), dx.begin(), dx.end());
  }
  CHECK(found[0] == found[1]);
  double expected = 0;
  const Variable x = variable({3, 197, 64}), dy = variable({3, 197, 64}, 3);
  for (int64_t row = 0; row < 3 * 197; ++row)
    expected += 2.0 * x.value().data<float>()[row * 64] * dy.value().data<float>()[row * 64];
  CHECK(found[0][0] == doctest::Approx(expected).epsilon(1e-4));
}

TEST_CASE("scale_channels: errors") {
  const Variable x = variable({2, 3});
  check_error([&] { scale_channels(x, variable({2})); },
              "[scale_channels] factors is (2,): expected (3,)");
  check_error(
      [&] {
        scale_channels(x, variable({3}), variable({3, 2}));
      },
      "[scale_channels] residual is (3, 2): expected (2, 3)");
  check_error([&] { scale_channels(x, {}); }, "[scale_channels] factors is undefined");
}

}  // namespace shiftadd::test
