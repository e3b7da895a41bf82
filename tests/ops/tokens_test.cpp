// prepend_token, prepend_tokens, take_tokens, select_token, mean_tokens: values, gradients, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using namespace autograd;

TEST_CASE("tokens: values") {
  const Variable token(Tensor::from<float>({1, 2}, {1, 1, 2}));
  const Variable x(Tensor::from<float>({3, 4, 5, 6}, {2, 1, 2}));
  const Variable positions(Tensor::from<float>({10, 20, 30, 40}, {1, 2, 2}));
  const Variable y = prepend_token(token, x, positions);
  CHECK(values(y.value()) == std::vector<float>{11, 22, 33, 44, 11, 22, 35, 46});
  CHECK(values(select_token(y, 0).value()) == std::vector<float>{11, 22, 11, 22});
  CHECK(values(select_token(y, 1).value()) == std::vector<float>{33, 44, 35, 46});
  CHECK(values(mean_tokens(y).value()) == std::vector<float>{22, 33, 23, 34});
}

TEST_CASE("tokens: several in front, and some taken out again") {
  const Variable tokens(Tensor::from<float>({1, 2, 3, 4}, {1, 2, 2}));
  const Variable x(Tensor::from<float>({5, 6, 7, 8}, {2, 1, 2}));
  const Variable y = prepend_tokens(tokens, x);
  CHECK(y.shape() == Shape{2, 3, 2});
  CHECK(values(y.value()) == std::vector<float>{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 7, 8});
  CHECK(take_tokens(y, 1, 2).shape() == Shape{2, 2, 2});
  CHECK(values(take_tokens(y, 1, 2).value()) == std::vector<float>{3, 4, 5, 6, 3, 4, 7, 8});
  CHECK(values(take_tokens(y, 0, 1).value()) == values(select_token(y, 0).value()));
  CHECK(values(take_tokens(y, 0, 3).value()) == values(y.value()));
}

TEST_CASE("tokens: gradient checks") {
  const Function prepend = [](const auto& in) { return prepend_token(in[0], in[1], in[2]); };
  check_gradients(prepend, {{1, 1, 3}, {5, 7, 3}, {1, 8, 3}});
  check_gradients(prepend, {{1, 1, 1}, {1, 1, 1}, {1, 2, 1}});
  // Computed parameters return their gradients instead of accumulating.
  check_gradients(
      [](const auto& in) { return prepend_token(gelu(in[0]), gelu(in[1]), gelu(in[2])); },
      {{1, 1, 3}, {5, 7, 3}, {1, 8, 3}});
  const Function prepend_all = [](const auto& in) { return prepend_tokens(in[0], in[1]); };
  check_gradients(prepend_all, {{1, 1, 1}, {1, 1, 1}});
  check_gradients(prepend_all, {{1, 5, 3}, {3, 7, 3}});
  check_gradients(prepend_all, {{1, 2, 1}, {2, 197, 1}});
  check_gradients([](const auto& in) { return prepend_tokens(gelu(in[0]), gelu(in[1])); },
                  {{1, 4, 3}, {5, 7, 3}});
  check_gradients([](const auto& in) { return take_tokens(in[0], 2, 3); }, {{3, 17, 5}});
  check_gradients([](const auto& in) { return take_tokens(in[0], 0, 1); }, {{1, 1, 1}});
  check_gradients([](const auto& in) { return select_token(in[0], 2); }, {{3, 5, 7}});
  check_gradients([](const auto& in) { return mean_tokens(in[0]); }, {{3, 17, 5}});
}

TEST_CASE("tokens: errors") {
  const Variable x = variable({2, 5, 3});
  check_error(
      [&] {
        prepend_token(variable({1, 3}), x, variable({1, 6, 3}));
      },
      "[prepend_token] token is (1, 3): expected (1, 1, 3)");
  check_error(
      [&] {
        prepend_token(variable({1, 1, 3}), x, variable({1, 5, 3}));
      },
      "[prepend_token] positions is (1, 5, 3): expected (1, 6, 3)");
  check_error(
      [&] {
        prepend_tokens(variable({2, 4, 3}), x);
      },
      "[prepend_tokens] tokens is (2, 4, 3): expected (1, 4, 3)");
  check_error(
      [&] {
        prepend_tokens(variable({1, 4, 2}), x);
      },
      "[prepend_tokens] tokens is (1, 4, 2): expected (1, 4, 3)");
  check_error([&] { take_tokens(x, 3, 3); },
              "[take_tokens] 3 tokens from 3 on, input is (2, 5, 3): expected some of 0..4");
  check_error([&] { take_tokens(x, -1, 2); },
              "[take_tokens] 2 tokens from -1 on, input is (2, 5, 3): expected some of 0..4");
  check_error([&] { select_token(x, 5); },
              "[select_token] index is 5, input is (2, 5, 3): expected 0..4");
  check_error(
      [&] {
        mean_tokens(variable({2, 0, 3}));
      },
      "[mean_tokens] input is (2, 0, 3): expected at least one token");
}

}  // namespace shiftadd::test
