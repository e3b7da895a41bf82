// Ops inside a Bf16Guard: each product's factors are rounded, in backward too; nothing else is.
#include "core/cpu/bf16.h"

#include "autograd/mixture.h"
#include "core/cpu/isa.h"
#include "tests/ops/op_test.h"

namespace shiftadd::test {
namespace {

using autograd::Bf16Guard;

Tensor rounded(const Tensor& x) {
  Tensor y = x.clone();
  for (float& each : y.span<float>()) each = round_to_bf16(each);
  return y;
}

Tensor cotangent(Shape shape) { return random_normal(std::move(shape), 9).to(DType::kF32); }

/// The output of `op` and the gradients of its inputs.
std::vector<Tensor> run(bool bf16, const Function& op, const std::vector<Shape>& shapes) {
  std::vector<Variable> in;
  for (std::size_t i = 0; i < shapes.size(); ++i) in.push_back(variable(shapes[i], i + 1));
  Variable y;
  {
    const Bf16Guard guard(bf16);
    y = op(in);
  }
  y.backward(cotangent(y.shape()));  // outside the guard: backward does what forward did
  std::vector<Tensor> out = {y.value()};
  for (const Variable& each : in) out.push_back(each.grad());
  return out;
}

TEST_CASE("bf16: linear is the float layer of rounded numbers, forward and backward") {
  const std::vector<Shape> shapes = {{2, 17, 9}, {35, 9}, {35}, {2, 17, 35}};
  const auto actual = run(
      true, [](const auto& in) { return autograd::linear(in[0], in[1], in[2], in[3]); }, shapes);
  // By definition, on rounded factors; the bias and its gradient are not rounded.
  const Tensor dy = cotangent({2, 17, 35}), x = variable(shapes[0], 1).value(),
               w = variable(shapes[1], 2).value();
  const Variable rx(rounded(x), true), rw(rounded(w), true), b = variable({35}, 3),
                                                             r = variable({2, 17, 35}, 4);
  const Variable y = autograd::linear(rx, rw, b, r);
  y.backward(rounded(dy));
  check_close(actual[0], y.value(), 1e-5, "y");
  check_close(actual[1], rx.grad(), 1e-5, "dx");
  check_close(actual[2], rw.grad(), 1e-5, "dw");
  Variable b2 = variable({35}, 3);
  autograd::linear(rx, rw, b2, r).backward(dy);
  check_close(actual[3], b2.grad(), 1e-5, "db");
  CHECK(values(actual[4]) == values(dy));
}

TEST_CASE("bf16: gelu_linear equals its composition") {
  const std::vector<Shape> shapes = {{2, 17, 9}, {5, 9}, {5}, {2, 17, 5}};
  const auto fused = run(
      true, [](const auto& in) { return autograd::gelu_linear(in[0], in[1], in[2], in[3]); },
      shapes);
  const auto composed = run(
      true,
      [](const auto& in) { return autograd::linear(autograd::gelu(in[0]), in[1], in[2], in[3]); },
      shapes);
  for (std::size_t i = 0; i < fused.size(); ++i)
    check_close(fused[i], composed[i], 1e-6, concat("result ", i));
}

TEST_CASE("bf16: near float32, but not it") {
  const std::pair<const char*, std::pair<Function, std::vector<Shape>>> ops[] = {
      {"conv2d_tokens",
       {[](const auto& in) { return autograd::conv2d_tokens(in[0], in[1], in[2], 4, 0); },
        {{2, 3, 8, 8}, {5, 3, 4, 4}, {5}}}},
      {"matmul",
       {[](const auto& in) { return autograd::matmul(in[0], in[1]); }, {{2, 5, 9}, {2, 9, 7}}}},
      {"gelu_linear",
       {[](const auto& in) { return autograd::gelu_linear(in[0], in[1], in[2]); },
        {{5, 9}, {7, 9}, {7}}}},
      {"shift_linear",
       {[](const auto& in) {
          return autograd::shift_linear(in[0], in[1], in[2],
                                        {.format = ShiftFormat::k5Bit, .input = Activation::kGelu});
        },
        {{5, 9}, {7, 9}, {7}}}}};
  for (const auto& [name, op] : ops) {
    const auto coarse = run(true, op.first, op.second), exact = run(false, op.first, op.second);
    CHECK_MESSAGE(values(coarse[0]) != values(exact[0]), name);
    for (std::size_t i = 0; i < coarse.size(); ++i)
      check_close(coarse[i], exact[i], 2e-2, concat(name, " result ", i));
  }
}

TEST_CASE("bf16: a Shift layer on int8 loses nothing in forward") {
  const auto forward = [](bool bf16) {
    const Bf16Guard guard(bf16);
    return values(autograd::shift_linear(variable({67, 197}), variable({33, 197}, 2),
                                         variable({33}, 3), {.int8_activations = true})
                      .value());
  };
  if (isa() == Isa::kAvx512) CHECK(forward(true) == forward(false));
}

TEST_CASE("bf16: the router stays float32") {
  const auto logits = [](bool bf16) {
    const Bf16Guard guard(bf16);
    return values(
        autograd::route(variable({17, 9}), variable({2, 9}, 2), variable({2}, 3)).logits.value());
  };
  CHECK(logits(true) == logits(false));
}

TEST_CASE("bf16: guards nest, and a recomputed part multiplies as it did") {
  CHECK_FALSE(autograd::bf16_products());
  {
    const Bf16Guard outer;
    CHECK(autograd::bf16_products());
    {
      const Bf16Guard inner(false);
      CHECK_FALSE(autograd::bf16_products());
    }
    CHECK(autograd::bf16_products());
  }
  CHECK_FALSE(autograd::bf16_products());

  const auto gradients = [](bool recompute) {
    Variable x = variable({5, 9}), w = variable({9, 9}, 2);
    const auto part = [&w](const Variable& in) {
      return autograd::linear(autograd::linear(in, w, {}), w, {});
    };
    Variable y;
    {
      const Bf16Guard guard;
      y = recompute ? autograd::checkpoint(part, x) : part(x);
    }
    y.backward(cotangent({5, 9}));
    return std::pair(values(x.grad()), values(w.grad()));
  };
  CHECK(gradients(true) == gradients(false));
}

}  // namespace
}  // namespace shiftadd::test
