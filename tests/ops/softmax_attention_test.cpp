// softmax_attention: golden values, gradients, partial queries, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::linear;
using autograd::softmax_attention;

namespace {

// The definition, composed of plain ops for one head.
Variable composed(const Variable& q, const Variable& k, const Variable& v, double scale) {
  const Variable scores = autograd::scale(autograd::matmul(q, autograd::transpose_last(k)), scale);
  return autograd::matmul(autograd::softmax(scores), v);
}

}  // namespace

TEST_CASE("softmax_attention: golden") {
  GoldenCase golden("softmax_attention");
  const Variable qkv = linear(golden.leaf("x"), golden.leaf("qkv_w"), golden.leaf("qkv_b"));
  const Variable out = softmax_attention(qkv, golden.attributes().at("heads").get<int64_t>());
  golden.check(linear(out, golden.leaf("proj_w"), golden.leaf("proj_b")));
}

TEST_CASE("softmax_attention: gradient check") {
  for (const auto& [tokens, heads, d] : {std::array<int64_t, 3>{1, 1, 1}, {5, 3, 2}, {17, 2, 3}}) {
    check_gradients([heads = heads](const auto& in) { return softmax_attention(in[0], heads); },
                    {{2, tokens, 3 * heads * d}});
    check_gradients(
        [heads = heads](const auto& in) { return softmax_attention(in[0], in[1], in[2], heads); },
        {{2, tokens, heads * d}, {2, 3, heads * d}, {2, 3, heads * d}});
  }
  check_gradients([](const auto& in) { return softmax_attention(in[0], 2, 1); }, {{3, 5, 12}});
  check_gradients([](const auto& in) { return softmax_attention(in[0], 2, 3, 0.9); }, {{3, 5, 12}});
  check_gradients([](const auto& in) { return softmax_attention(in[0], in[1], 2, 0.9); },
                  {{2, 5, 6}, {2, 3, 12}});
}

TEST_CASE("softmax_attention: one head equals the composition") {
  const Variable q = variable({2, 17, 5}), k = variable({2, 7, 5}, 2), v = variable({2, 7, 5}, 3);
  check_close(softmax_attention(q, k, v, 1).value(), composed(q, k, v, 1 / std::sqrt(5)).value(),
              1e-5, "one head");
  check_close(softmax_attention(q, k, v, 1, 1.7).value(), composed(q, k, v, 1.7).value(), 1e-5,
              "one head, given scale");
}

TEST_CASE("softmax_attention: 1 / sqrt(d), given, has the bits of none given") {
  const Variable qkv = variable({2, 197, 3 * 2 * 5}), same(qkv.value().clone(), true);
  const Variable usual = softmax_attention(qkv, 2);
  const Variable given =
      softmax_attention(same, 2, autograd::kAllQueries, 1 / std::sqrt(static_cast<double>(5)));
  CHECK(values(usual.value()) == values(given.value()));
  usual.backward(Tensor::full({2, 197, 10}, 1));
  given.backward(Tensor::full({2, 197, 10}, 1));
  CHECK(values(qkv.grad()) == values(same.grad()));
}

TEST_CASE("softmax_attention: fewer queries give the same first rows, bit for bit") {
  const Variable qkv = variable({2, 197, 3 * 6});
  const std::vector<float> all = values(softmax_attention(qkv, 2).value());
  const std::vector<float> first = values(softmax_attention(qkv, 2, 1).value());
  for (int64_t b = 0; b < 2; ++b) {
    for (int64_t j = 0; j < 6; ++j) CHECK(first[b * 6 + j] == all[b * 197 * 6 + j]);
  }
}

TEST_CASE("softmax_attention: errors") {
  check_error(
      [] {
        softmax_attention(variable({2, 5, 10}), 1);
      },
      "[softmax_attention] qkv is (2, 5, 10): expected a last dimension divisible by 3");
  check_error(
      [] {
        softmax_attention(variable({2, 5, 12}), 3);
      },
      "[softmax_attention] input is (2, 5, 12) with 3 heads: expected a number of heads that "
      "divides 4");
  check_error(
      [] {
        softmax_attention(variable({2, 5, 12}), 2, 6);
      },
      "[softmax_attention] 6 queries of 5 tokens");
  check_error(
      [] {
        softmax_attention(variable({5, 12}), 2);
      },
      "[softmax_attention] qkv is (5, 12): expected 3 dimensions");
  check_error(
      [] {
        softmax_attention(variable({2, 5, 12}), 2, 5, -0.5);
      },
      "[softmax_attention] scale is -0.5: expected a finite positive number, or 0 for 1 / "
      "sqrt(width)");
  check_error(
      [] {
        softmax_attention(variable({2, 5, 4}), variable({2, 3, 5}), variable({2, 3, 4}), 2);
      },
      "[softmax_attention] k is (2, 3, 5): expected (2, 3, 4)");
}

}  // namespace shiftadd::test
