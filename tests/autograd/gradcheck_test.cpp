// gradcheck itself must find wrong gradients.
#include "autograd/gradcheck.h"

#include <cmath>

#include "autograd/ops.h"
#include "tests/support/support.h"

namespace shiftadd::autograd {
namespace {

// x^2 with a derivative of `factor` x.
Variable square(const Variable& x, double factor) {
  const Tensor value = x.value();
  const Tensor y = value.clone();
  for (double& v : y.span<double>()) v *= v;
  return make_result("square", y, {x}, [value, factor](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = dy.clone();
    for (int64_t i = 0; i < dx.numel(); ++i)
      dx.data<double>()[i] *= factor * value.data<double>()[i];
    return {dx};
  });
}

TEST_CASE("gradcheck: right, wrong, missing and NaN gradients") {
  const Tensor x = random_normal({5}, 1);
  const auto with = [&](double factor) {
    return gradcheck([factor](const auto& in) { return square(in[0], factor); }, {x});
  };
  CHECK(with(2) == "");
  CHECK(with(2.001).find("input 0 (5,), element 0: backward gives") == 0);
  CHECK(with(std::nan("")) != "");
  CHECK(gradcheck([](const auto& in) { return add(square(in[0], 2), in[1].detach()); }, {x, x})
            .find("input 1") == 0);
}

TEST_CASE("gradcheck: a transformer block composed of ops") {
  const auto block = [](const std::vector<Variable>& in) {
    const Variable x = prepend_token(in[1], conv2d_tokens(in[0], in[2], in[3], 2, 0), in[4]);
    const Variable n1 = layer_norm(x, in[5], in[6], 1e-5);
    const Variable attended =
        linear(softmax_attention(linear(n1, in[7], in[8]), 2), in[9], in[10], x);
    const Variable n2 = layer_norm(attended, in[5], in[6], 1e-5);
    const Variable y = gelu_linear(linear(n2, in[11], in[12]), in[13], in[14], attended);
    const std::vector<int64_t> labels{2, 0};
    return cross_entropy(linear(select_token(y, 0), in[15], in[16]), labels, 0.1);
  };
  const std::vector<Shape> shapes{{2, 3, 4, 6}, {1, 1, 4}, {4, 3, 2, 2}, {4},    {1, 7, 4}, {4},
                                  {4},          {12, 4},   {12},         {4, 4}, {4},       {7, 4},
                                  {7},          {4, 7},    {4},          {3, 4}, {3}};
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) inputs.push_back(random_normal(shape, 20 + inputs.size()));
  CHECK(gradcheck(block, inputs) == "");
}

}  // namespace
}  // namespace shiftadd::autograd
