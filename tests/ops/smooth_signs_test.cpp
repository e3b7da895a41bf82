// smooth_signs: +-1 forwards, the slope of atan(slope x) backwards, and both attentions on top of
// it.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::smooth_signs;

TEST_CASE("smooth_signs: signs of q and k, v as it is, and a slope without an edge") {
  Variable qkv = variable({3, 7, 3 * 5});
  qkv.value().data<float>()[1] = 0;  // sign(0) = +1
  qkv.value().data<float>()[2] = -9;
  const Tensor dy = variable({3, 7, 15}, 4).value();
  for (const double slope : {1.0, 3.5}) {
    qkv.zero_grad();
    const Variable y = smooth_signs(qkv, 10, slope);
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
    "smooth_signs: the attentions on codes answer the same, and all of a sign's gradient passes") {
  Variable qkv = variable({2, 17, 3 * 3 * 5});
  const Variable same(qkv.value().clone(), true);
  const auto gradient_reaches_all = [&](const auto& attention) {
    qkv.zero_grad();
    const Variable smooth = attention(smooth_signs(qkv, 30, 2));
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
  gradient_reaches_all([](const Variable& x) { return autograd::softmax_add_attention(x, 3); });
  gradient_reaches_all([](const Variable& x) {
    return autograd::linear_angular_attention(x, Variable(), {.heads = 3, .codes = Codes::kSign});
  });
}

TEST_CASE("smooth_signs: errors name the shape and the slope") {
  CHECK_THROWS_WITH_AS(smooth_signs(variable({2, 3, 4}), 5, 1), doctest::Contains("(2, 3, 4)"),
                       Error);
  CHECK_THROWS_WITH_AS(smooth_signs(variable({2, 3}), 2, 1), doctest::Contains("(2, 3)"), Error);
  CHECK_THROWS_WITH_AS(smooth_signs(variable({2, 3, 6}), 4, 0), doctest::Contains("slope"), Error);
}

}  // namespace shiftadd::test
