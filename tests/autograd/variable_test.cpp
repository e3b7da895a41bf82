// The tape: accumulation, fan-out, release of memory, guards.
#include "autograd/variable.h"

#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "core/memory.h"
#include "tests/support/support.h"

namespace shiftadd::autograd {
namespace {

using Values = std::vector<float>;

Variable leaf(const Values& numbers, bool requires_grad = true) {
  return Variable(Tensor::from(numbers, {static_cast<int64_t>(numbers.size())}), requires_grad);
}

Values values(const Tensor& tensor) {
  const auto span = tensor.span<float>();
  return {span.begin(), span.end()};
}

std::string message_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

// An operation whose backward multiplies by a factor: to provoke NaN.
Variable times(const char* op, const Variable& x, float forward, float backward) {
  Tensor y = x.value().clone();
  for (float& v : y.span<float>()) v *= forward;
  return make_result(op, std::move(y), {x}, [backward](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = dy.clone();
    for (float& v : dx.span<float>()) v *= backward;
    return {dx};
  });
}

TEST_CASE("variable: leaves accumulate over passes, zero_grad keeps the memory") {
  Variable x = leaf({1, 2});
  CHECK(!x.grad().defined());
  sum(scale(x, 3)).backward();
  CHECK(values(x.grad()) == Values{3, 3});
  sum(scale(x, 4)).backward();
  CHECK(values(x.grad()) == Values{7, 7});
  const void* memory = x.grad().raw();
  x.zero_grad();
  CHECK(values(x.grad()) == Values{0, 0});
  CHECK(x.grad().raw() == memory);
  Tensor external = x.grad();
  sum(x).backward();  // accumulates beside a handle somebody keeps
  CHECK(values(x.grad()) == Values{1, 1});
}

TEST_CASE("variable: fan-out adds") {
  const Variable x = leaf({1, 2});
  const Variable y = multiply(x, x);               // y' = 2x
  sum(add(multiply(y, x), add(y, x))).backward();  // x^3 + x^2 + x
  CHECK(values(x.grad()) == Values{6, 17});
}

TEST_CASE("variable: a diamond runs each operation once") {
  const Variable x = leaf({3});
  int runs = 0;
  const Variable y = make_result("probe", x.value().clone(), {x},
                                 [&runs](const Tensor& dy) -> std::vector<Tensor> {
                                   ++runs;
                                   return {dy};
                                 });
  sum(add(add(y, scale(y, 2)), scale(scale(y, 2), 2))).backward();
  CHECK(runs == 1);
  CHECK(values(x.grad()) == Values{7});
}

TEST_CASE("variable: a seed and a gradient that others hold are never overwritten") {
  const Variable x = leaf({1, 2, 3});
  const Tensor seed = Tensor::full({3}, 1);
  gelu(gelu(x)).backward(seed);
  CHECK(values(seed) == Values{1, 1, 1});
  const Variable a = leaf({1, 2}), b = leaf({3, 4});
  sum(gelu(scale(add(a, b), 2))).backward();
  CHECK(values(a.grad()) == values(b.grad()));
  CHECK(!a.grad().shares_memory(b.grad()));
}

TEST_CASE("variable: no recording inside NoGradGuard or without a gradient to find") {
  const Variable x = leaf({1}), constant = leaf({2}, false);
  {
    const NoGradGuard guard;
    CHECK(!recording());
    CHECK(!scale(x, 2).requires_grad());
    { const NoGradGuard inner; }
    CHECK(!recording());
  }
  CHECK(recording());
  CHECK(scale(x, 2).requires_grad());
  CHECK(!scale(constant, 2).requires_grad());
  CHECK(!scale(x, 2).detach().requires_grad());
  CHECK(message_of([&] { sum(constant).backward(); }).find("[backward] nothing to do") == 0);
}

TEST_CASE("variable: errors") {
  const Variable x = leaf({1, 2});
  const Variable loss = sum(scale(x, 2));
  loss.backward();
  CHECK(
      message_of([&] { loss.backward(); }) ==
      "[sum] backward ran through this operation before and freed it: run the forward pass again");
  CHECK(message_of([&] {
          scale(x, 2).backward();
        }).find("[backward] starts from a scalar, this variable is (2,)") == 0);
  CHECK(message_of([&] { scale(x, 2).backward(Tensor::zeros({3})); }) ==
        "[backward] seed is f32(3,): expected f32(2,)");
  Variable made = scale(x, 2), parameter = leaf({1, 2});
  CHECK(message_of([&] { made.set_requires_grad(false); }) ==
        "[variable] set_requires_grad works on leaves only; this one was made by scale");
  CHECK(message_of([&] { parameter.set_value(Tensor::zeros({3})); }) ==
        "[variable] the new value is f32(3,): expected f32(2,)");
  CHECK(message_of([&] { Variable().value(); }) == "[variable] an undefined variable was used");
  const Variable wrong =
      make_result("wrong", Tensor::zeros({2}), {x},
                  [](const Tensor&) -> std::vector<Tensor> { return {Tensor::zeros({3})}; });
  CHECK(message_of([&] { sum(wrong).backward(); }) ==
        "[wrong] backward gave f32(3,) for input 0, which is f32(2,)");
}

TEST_CASE("variable: freezing drops the gradient and skips the work") {
  Variable x = leaf({1, 2}), w = leaf({3, 4});
  sum(multiply(x, w)).backward();
  w.set_requires_grad(false);
  CHECK(!w.grad().defined());
  sum(multiply(x, w)).backward();
  CHECK(!w.grad().defined());
  CHECK(values(x.grad()) == Values{6, 8});
}

TEST_CASE(
    "variable: activations nobody needs are freed in the forward pass, the rest during backward") {
  constexpr int64_t kSize = 1 << 16;
  const Variable x(Tensor::full({kSize}, 0.5), true);
  const std::size_t before = memory_stats().in_use, one = kSize * sizeof(float);
  {
    Variable y = x;
    for (int i = 0; i < 8; ++i) y = scale(y, 1.1);  // keeps nothing
    CHECK(memory_stats().in_use - before <= one);
    Variable z = x;
    for (int i = 0; i < 8; ++i) z = gelu(z);  // keeps its inputs: x and seven more
    CHECK(memory_stats().in_use - before >= 9 * one);
    reset_peak_memory();
    const std::size_t start = memory_stats().in_use;
    z.backward(Tensor::full({kSize}, 1));
    // Seed and one gradient at a time; what was kept is given back on the way.
    CHECK(memory_stats().peak - start <= 3 * one);
    CHECK(memory_stats().in_use - before <= 3 * one);  // y, z, and x's gradient
  }
  CHECK(memory_stats().in_use - before == one);  // the gradient of x
}

TEST_CASE("variable: a graph dropped without backward is freed, however long") {
  const std::size_t before = memory_stats().in_use;
  {
    const Variable x = leaf({1});
    Variable y = x;
    for (int i = 0; i < 200000; ++i) y = scale(y, 1);
  }
  CHECK(memory_stats().in_use == before);
}

TEST_CASE("anomaly: the operation, pass and shape of the first NaN") {
  const float nan = std::nanf("");
  const Variable x = leaf({1, 2});
  {
    const AnomalyGuard guard;
    CHECK(message_of([&] { times("bad_forward", scale(x, 2), nan, 1); }) ==
          "[bad_forward] forward pass made a NaN or an infinity in a tensor of shape (2,)");
    CHECK(message_of([&] {
            sum(scale(times("bad_backward", scale(x, 2), 1, INFINITY), 2)).backward();
          }) == "[bad_backward] backward pass made a NaN or an infinity in a tensor of shape (2,)");
    // A gradient that is accumulated in place is looked at as well.
    const Variable w(Tensor::full({1, 2}, 1), true), huge(Tensor::full({2, 2}, 3e38));
    CHECK(message_of([&] {
            sum(scale(linear(huge, w, {}), 0)).backward();
          }).find("[linear] forward") == 0);
    const Variable big(Tensor::full({2, 2}, 1e20));
    CHECK(message_of([&] {
            sum(scale(linear(big, w, {}), 1e30)).backward();
          }).find("[scale] forward") == 0);
    CHECK(message_of([&] {
            linear(big, w, {}).backward(Tensor::full({2, 1}, 1e30));
          }) == "[linear] backward pass made a NaN or an infinity in a tensor of shape (1, 2)");
  }
  CHECK(message_of([&] { times("bad_forward", x, nan, 1); }) == "nothing was thrown");
}

}  // namespace
}  // namespace shiftadd::autograd
