// smooth_codes: a number of the same code forwards, the slopes of smooth steps backwards, and the
// attentions on top of it.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::smooth_codes;

TEST_CASE("smooth_codes: signs of q and k, v as it is, and a slope without an edge") {
  Variable qkv = variable({3, 7, 3 * 5});
  qkv.value().data<float>()[1] = 0;  // sign(0) = +1
  qkv.value().data<float>()[2] = -9;
  const Tensor dy = variable({3, 7, 15}, 4).value();
  for (const double slope : {1.0, 3.5}) {
    qkv.zero_grad();
    const Variable y = smooth_codes(qkv, Codes::kSign, 10, slope);
    y.backward(dy.clone());
    for (int64_t i = 0; i < qkv.value().numel(); ++i) {
      CAPTURE(i);
      const double x = qkv.value().data<float>()[i], d = dy.data<float>()[i];
      const bool coded = i % 15 < 10;
      CHECK(y.value().data<float>()[i] == (coded ? (x >= 0 ? 1.f : -1.f) : static_cast<float>(x)));
      const double expected = coded ? d * slope / (1 + slope * slope * x * x) : d;
      CHECK(qkv.grad().data<float>()[i] == doctest::Approx(expected).epsilon(1e-5));
    }
    CHECK(qkv.grad().data<float>()[2] != 0);
  }
}

TEST_CASE(
    "smooth_codes: the attentions on codes answer the same, and all of a sign's gradient passes") {
  Variable qkv = variable({2, 17, 3 * 3 * 5});
  const Variable same(qkv.value().clone(), true);
  const auto gradient_reaches_all = [&](const auto& attention) {
    qkv.zero_grad();
    const Variable smooth = attention(smooth_codes(qkv, Codes::kSign, 30, 2));
    check_close(smooth.value(), attention(same).value(), 0, "values");
    smooth.backward(variable({2, 17, 15}, 3).value());
    int64_t far = 0, reached = 0;
    for (int64_t i = 0; i < qkv.value().numel(); ++i)
      if (i % 45 < 30 && std::abs(qkv.value().data<float>()[i]) > 1) {
        ++far;
        reached += qkv.grad().data<float>()[i] != 0;
      }
    CHECK(far > 100);
    CHECK(reached == far);
  };
  gradient_reaches_all(
      [](const Variable& x) { return autograd::softmax_add_attention(x, {.heads = 3}); });
  gradient_reaches_all([](const Variable& x) {
    return autograd::linear_angular_attention(x, Variable(), {.heads = 3, .codes = Codes::kSign});
  });
}

TEST_CASE("smooth_codes: levels answer the same, and a step lies at each edge between them") {
  Variable qkv = variable({2, 17, 3 * 3 * 5});
  const Variable same(qkv.value().clone(), true);
  const double slope = 2, edge = kBipolarStep;
  const autograd::SoftmaxAddOptions options = {.heads = 3, .codes = Codes::kBipolar2};
  const Variable levels = autograd::smooth_codes(qkv, Codes::kBipolar2, 30, slope);
  const Variable out = autograd::softmax_add_attention(levels, options);
  check_close(out.value(), autograd::softmax_add_attention(same, options).value(), 0, "values");
  const Tensor dy = variable({2, 17, 45}, 4).value();
  levels.backward(dy.clone());
  for (int64_t i = 0; i < qkv.value().numel(); ++i) {
    if (i % 45 >= 30) continue;
    const double x = qkv.value().data<float>()[i];
    double steps = 0;  // of height 2, and a level's number is its level times edge / 2
    for (const double at : {-edge, 0.0, edge})
      steps += slope / (1 + slope * slope * (x - at) * (x - at));
    const double expected = dy.data<float>()[i] * steps * edge / 2;
    CHECK(qkv.grad().data<float>()[i] == doctest::Approx(expected).epsilon(1e-5));
  }
  // And the attention's own estimator passes all of these numbers.
  const Variable numbers(levels.value().clone(), true);
  autograd::softmax_add_attention(numbers, options).backward(variable({2, 17, 15}, 3).value());
  for (int64_t i = 0; i < numbers.value().numel(); ++i) CHECK(numbers.grad().data<float>()[i] != 0);
}

TEST_CASE("smooth_codes: errors name the shape and the slope") {
  CHECK_THROWS_WITH_AS(smooth_codes(variable({2, 3, 4}), Codes::kSign, 5, 1),
                       doctest::Contains("(2, 3, 4)"), Error);
  CHECK_THROWS_WITH_AS(smooth_codes(variable({2, 3}), Codes::kSign, 2, 1),
                       doctest::Contains("(2, 3)"), Error);
  CHECK_THROWS_WITH_AS(smooth_codes(variable({2, 3, 6}), Codes::kSign, 4, 0),
                       doctest::Contains("slope"), Error);
}

}  // namespace shiftadd::test
