// softmax_add_attention: golden values, estimator, int8 values, evaluation's bits, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::softmax_add_attention;

namespace {

// +-1 codes and +-1-coded qkv: what softmax_attention sees.
Tensor coded(const Tensor& qkv) {
  const Tensor out = qkv.clone();
  const int64_t channels = qkv.dim(2) / 3;
  for (int64_t i = 0; i < out.numel(); ++i) {
    float& x = out.data<float>()[i];
    if (i % qkv.dim(2) < 2 * channels) x = x < 0 ? -1.f : 1.f;
  }
  return out;
}

}  // namespace

TEST_CASE("softmax_add: golden") {
  const TensorFile file = golden_operator("softmax_add");
  const Variable qkv(fuse(file, "in."), true);
  const int64_t heads = file.at("in.q").dim(1);
  const Variable out = softmax_add_attention(qkv, {.heads = heads});
  check_close(out.value(), merge(file.at("out.y")), 1e-5, "softmax_add out.y");
  out.backward(merge(file.at("cot.y")));
  check_close(qkv.grad(), fuse(file, "grad."), 1e-4, "softmax_add gradient", 1e-6);
}

TEST_CASE("softmax_add: softmax attention of codes, whose gradient passes where |x| <= 1") {
  const Variable qkv = variable({2, 17, 3 * 3 * 5});
  const Variable codes(coded(qkv.value()), true);
  const Tensor dout = variable({2, 17, 15}, 3).value();
  const Variable expected = autograd::softmax_attention(codes, 3),
                 out = softmax_add_attention(qkv, {.heads = 3});
  check_close(out.value(), expected.value(), 1e-6, "values");
  expected.backward(dout.clone());
  out.backward(dout.clone());
  const Tensor gradient = codes.grad().clone();
  int64_t stopped = 0;
  for (int64_t i = 0; i < gradient.numel(); ++i)
    if (i % 45 < 30 && std::abs(qkv.value().data<float>()[i]) > 1) {
      gradient.data<float>()[i] = 0;
      ++stopped;
    }
  CHECK(stopped > 100);
  check_close(qkv.grad(), gradient, 1e-6, "gradient");
}

TEST_CASE("softmax_add: int8 values are whole multiples of one scale per head, passed through") {
  const Variable qkv = variable({2, 9, 3 * 2 * 4}), rounded(qkv.value().clone(), true);
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t h = 0; h < 2; ++h) {
      const auto at = [&](int64_t n, int64_t j) -> float& {
        return rounded.value().data<float>()[(b * 9 + n) * 24 + 16 + h * 4 + j];
      };
      float largest = 0;
      for (int64_t i = 0; i < 36; ++i) largest = std::max(largest, std::abs(at(i / 4, i % 4)));
      for (int64_t i = 0; i < 36; ++i) {
        float& x = at(i / 4, i % 4);
        x = std::nearbyint(x * (127 / largest)) * (largest / 127);
      }
    }
  const Variable out = softmax_add_attention(qkv, {.heads = 2, .value = ValueFormat::kInt8});
  const Variable expected = softmax_add_attention(rounded, {.heads = 2});
  check_close(out.value(), expected.value(), 1e-6, "values");
  out.backward(Tensor::full({2, 9, 8}, 1));
  expected.backward(Tensor::full({2, 9, 8}, 1));
  check_close(qkv.grad(), rounded.grad(), 1e-5, "gradient", 1e-6);
}

TEST_CASE("softmax_add: evaluation counts signs and gives training's bits") {
  for (ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8})
    for (const auto& [tokens, heads, d] :
         {std::array<int64_t, 3>{1, 1, 1}, {17, 3, 17}, {65, 2, 32}, {197, 1, 64}, {3, 1, 1000}}) {
      const Variable qkv = variable({2, tokens, 3 * heads * d});
      const std::vector<float> training =
          values(softmax_add_attention(qkv, {.heads = heads, .value = value}).value());
      autograd::NoGradGuard guard;
      const std::vector<float> counted =
          values(softmax_add_attention(qkv, {.heads = heads, .value = value}).value());
      CHECK(training == counted);
    }
}

TEST_CASE("softmax_add: a given scale is softmax attention's, and 1 / sqrt(d) the one of none") {
  const Variable qkv = variable({2, 17, 3 * 3 * 5});
  const Variable codes(coded(qkv.value()), true);
  const auto scaled = [&](double scale) {
    return softmax_add_attention(qkv, {.heads = 3, .scale = scale});
  };
  check_close(scaled(0.9).value(),
              autograd::softmax_attention(codes, 3, autograd::kAllQueries, 0.9).value(), 1e-6,
              "values");
  CHECK(values(scaled(1 / std::sqrt(static_cast<double>(5))).value()) ==
        values(softmax_add_attention(qkv, {.heads = 3}).value()));
  const std::vector<float> training = values(scaled(0.3).value());
  autograd::NoGradGuard guard;
  CHECK(training == values(scaled(0.3).value()));
}

TEST_CASE("softmax_add: the gradient at a given scale is softmax attention's, where |x| <= 1") {
  const Variable qkv = variable({2, 5, 3 * 2 * 3});
  const Variable codes(coded(qkv.value()), true);
  softmax_add_attention(qkv, {.heads = 2, .scale = 0.9})
      .backward(variable({2, 5, 6}, 3).value().clone());
  autograd::softmax_attention(codes, 2, autograd::kAllQueries, 0.9)
      .backward(variable({2, 5, 6}, 3).value().clone());
  const Tensor expected = codes.grad().clone();
  for (int64_t i = 0; i < expected.numel(); ++i)
    if (i % 18 < 12 && std::abs(qkv.value().data<float>()[i]) > 1) expected.data<float>()[i] = 0;
  check_close(qkv.grad(), expected, 1e-6, "gradient");
}

TEST_CASE("softmax_add: fewer queries give the same first rows, bit for bit") {
  const Variable qkv = variable({2, 65, 3 * 6});
  const std::vector<float> all = values(softmax_add_attention(qkv, {.heads = 2}).value());
  const Variable some = softmax_add_attention(qkv, {.heads = 2, .queries = 3});
  const std::vector<float> first = values(some.value());
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t j = 0; j < 18; ++j) CHECK(first[b * 18 + j] == all[b * 65 * 6 + j]);
  some.backward(Tensor::full({2, 3, 6}, 1));
  for (int64_t n = 3; n < 65; ++n)
    for (int64_t j = 0; j < 6; ++j) CHECK(qkv.grad().data<float>()[n * 18 + j] == 0);
}

TEST_CASE("softmax_add: errors") {
  check_error(
      [] {
        softmax_add_attention(variable({2, 5, 10}), {.heads = 1});
      },
      "[softmax_add_attention] qkv is (2, 5, 10): expected a last dimension divisible by "
      "3");
  check_error(
      [] {
        softmax_add_attention(variable({2, 5, 12}), {.heads = 3});
      },
      "[softmax_add_attention] input is (2, 5, 12) with 3 heads: expected a number of "
      "heads that divides 4");
  check_error(
      [] {
        softmax_add_attention(variable({2, 5, 12}), {.heads = 2, .queries = 0});
      },
      "[softmax_add_attention] 0 queries of 5 tokens");
  check_error(
      [] {
        softmax_add_attention(variable({2, 5, 12}), {.heads = 2, .queries = 5, .scale = INFINITY});
      },
      "[softmax_add_attention] scale is inf: expected a finite positive number, or 0 for "
      "1 / sqrt(width)");
}

}  // namespace shiftadd::test
