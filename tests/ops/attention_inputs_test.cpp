// The attentions on q and kv in tensors of their own: the values and gradients of the fused tensor.
#include <algorithm>

#include "tests/ops/op_test.h"

namespace shiftadd::test {
namespace {

// Columns [begin, end) of x (B, N, C).
Tensor columns(const Tensor& x, int64_t begin, int64_t end) {
  const int64_t rows = x.dim(0) * x.dim(1), width = end - begin;
  Tensor result({x.dim(0), x.dim(1), width});
  for (int64_t row = 0; row < rows; ++row)
    std::copy_n(x.data<float>() + row * x.dim(2) + begin, width,
                result.data<float>() + row * width);
  return result;
}

// fused(qkv) and paired(q, kv) of the same numbers give the same bits, forwards and backwards, with
// a gradient and without.
template <class Fused, class Paired>
void check_same(const Fused& fused, const Paired& paired) {
  constexpr int64_t kWidth = 3 * 5;
  const Variable qkv = variable({2, 17, 3 * kWidth});
  const Variable q(columns(qkv.value(), 0, kWidth), true),
      kv(columns(qkv.value(), kWidth, 3 * kWidth), true);
  const Tensor cotangent = variable({2, 17, kWidth}, 4).value();
  const Variable y = paired(q, kv), expected = fused(qkv);
  check_close(y.value(), expected.value(), 0, "values");
  y.backward(cotangent.clone());
  expected.backward(cotangent.clone());
  check_close(q.grad(), columns(qkv.grad(), 0, kWidth), 0, "dq");
  check_close(kv.grad(), columns(qkv.grad(), kWidth, 3 * kWidth), 0, "dkv");
  const autograd::NoGradGuard evaluation;
  check_close(paired(q, kv).value(), fused(qkv).value(), 0, "evaluation");
}

}  // namespace

TEST_CASE("softmax_attention: q and kv apart, also of fewer keys") {
  check_same(
      [](const Variable& qkv) { return autograd::softmax_attention(qkv, 3); },
      [](const Variable& q, const Variable& kv) { return autograd::softmax_attention(q, kv, 3); });
  check_gradients([](const auto& in) { return autograd::softmax_attention(in[0], in[1], 3); },
                  {{2, 7, 6}, {2, 3, 12}});
}

TEST_CASE("softmax_add_attention: q and kv apart") {
  for (const ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8})
    check_same(
        [value](const Variable& qkv) {
          return autograd::softmax_add_attention(qkv, {.heads = 3, .value = value});
        },
        [value](const Variable& q, const Variable& kv) {
          return autograd::softmax_add_attention(q, kv, {.heads = 3, .value = value});
        });
}

TEST_CASE("linear_angular_attention: q and kv apart") {
  const Variable filter = variable({3, 1, 9, 1}, 2, false);
  for (const Codes codes : {Codes::kNone, Codes::kSign, Codes::kUnitHead}) {
    const autograd::LinearAngularOptions options = {.heads = 3, .codes = codes};
    check_same(
        [&](const Variable& qkv) {
          return autograd::linear_angular_attention(qkv, filter, options);
        },
        [&](const Variable& q, const Variable& kv) {
          return autograd::linear_angular_attention(q, kv, filter, options);
        });
  }
  check_gradients(
      [](const auto& in) {
        return autograd::linear_angular_attention(
            in[0], in[1], in[2], {.heads = 2, .codes = Codes::kNone, .grid_h = 3, .grid_w = 2});
      },
      {{2, 6, 6}, {2, 6, 12}, {2, 1, 3, 3}});
}

TEST_CASE("attention on q and kv: errors name the shapes") {
  const Variable q = variable({2, 5, 6});
  check_error(
      [&] {
        autograd::softmax_attention(q, variable({2, 5, 6}), 3);
      },
      "[softmax_attention] kv is (2, 5, 6): expected (2, 5, 12)");
  check_error(
      [&] {
        autograd::softmax_add_attention(q, variable({2, 4, 12}), {.heads = 4});
      },
      "[softmax_add_attention] input is (2, 5, 6) with 4 heads: expected a number of heads "
      "that divides 6");
  check_error(
      [&] {
        autograd::linear_angular_attention(q, variable({2, 4, 12}), {}, {.heads = 3});
      },
      "[linear_angular_attention] q is (2, 5, 6), kv is (2, 4, 12): expected a key for each query");
}

}  // namespace shiftadd::test
