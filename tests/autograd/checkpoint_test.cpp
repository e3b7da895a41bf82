// checkpoint(): the same bits, less memory, right with frozen inputs and random ops.
#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "core/memory.h"
#include "tests/support/support.h"

namespace shiftadd::autograd {
namespace {

std::vector<float> values(const Tensor& tensor) {
  const auto span = tensor.span<float>();
  return {span.begin(), span.end()};
}

Variable variable(Shape shape, uint64_t seed, bool requires_grad = true) {
  return Variable(random_normal(std::move(shape), seed).to(DType::kF32), requires_grad);
}

struct Block {
  Variable gamma = variable({9}, 1), beta = variable({9}, 2), w1 = variable({18, 9}, 3),
           w2 = variable({9, 18}, 4);
  Variable operator()(const Variable& x) const {
    const Variable y = dropout(linear(layer_norm(x, gamma, beta, 1e-6), w1, {}), 0.2, 5, 6);
    return gelu_linear(y, w2, {}, x);
  }
};

TEST_CASE("checkpoint: gradients are bit-identical to the plain run") {
  const auto run = [](bool recompute, bool input_wanted) {
    const Block first, second;
    const Variable x = variable({17, 9}, 7, input_wanted);
    const auto pass = [&](const Block& block, const Variable& in) {
      return recompute ? checkpoint([&block](const Variable& v) { return block(v); }, in)
                       : block(in);
    };
    const Variable y = pass(second, pass(first, x));
    y.backward(random_normal({17, 9}, 8).to(DType::kF32));
    std::vector<std::vector<float>> all{values(y.value())};
    if (input_wanted)
      all.push_back(values(x.grad()));
    else
      CHECK(!x.grad().defined());
    for (const Block* block : {&first, &second}) {
      for (const Variable& p : {block->gamma, block->beta, block->w1, block->w2})
        all.push_back(values(p.grad()));
    }
    return all;
  };
  CHECK(run(true, true) == run(false, true));
  CHECK(run(true, false) == run(false, false));
}

TEST_CASE("checkpoint: gradient check, nested") {
  const auto nested = [](const std::vector<Variable>& in) {
    return checkpoint(
        [w = in[1]](const Variable& x) {
          return multiply(
              checkpoint([w](const Variable& y) { return linear(gelu(y), w, {}); }, scale(x, 2)),
              x);
        },
        in[0]);
  };
  CHECK(gradcheck(nested, {random_normal({3, 5}, 1), random_normal({5, 5}, 2)}) == "");
}

TEST_CASE("checkpoint: keeps only the input of each part") {
  constexpr int64_t kSize = 1 << 16;
  constexpr std::size_t kOne = kSize * sizeof(float);
  const Variable x(Tensor::full({kSize}, 0.5), true);
  const auto four_gelus = [](const Variable& v) { return gelu(gelu(gelu(gelu(v)))); };
  const std::size_t before = memory_stats().in_use;
  Variable y = x;
  for (int i = 0; i < 4; ++i) y = checkpoint(four_gelus, y);
  CHECK(memory_stats().in_use - before <= 4 * kOne);  // three inputs beside x, and y
  y.backward(Tensor::full({kSize}, 1));
  CHECK(memory_stats().in_use - before <= 2 * kOne);
}

TEST_CASE("checkpoint: records nothing inside NoGradGuard") {
  const NoGradGuard guard;
  CHECK(!checkpoint([](const Variable& v) { return gelu(v); }, variable({3}, 1)).requires_grad());
}

}  // namespace
}  // namespace shiftadd::autograd
