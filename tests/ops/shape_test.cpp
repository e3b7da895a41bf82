// reshape, transpose_last, concat_channels, gather_rows, scatter_rows: values, gradients, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using namespace autograd;

TEST_CASE("shape: values") {
  const Variable x(Tensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2}));
  CHECK(reshape(x, {-1, 3}).shape() == Shape{2, 3});
  CHECK(reshape(x, {-1, 3}).value().shares_memory(x.value()));
  CHECK(values(transpose_last(x).value()) == std::vector<float>{1, 3, 5, 2, 4, 6});
  CHECK(values(concat_channels(x, Variable(Tensor::from<float>({7, 8, 9}, {3, 1}))).value()) ==
        std::vector<float>{1, 2, 7, 3, 4, 8, 5, 6, 9});
  CHECK(values(gather_rows(x, {2, 0, 2}).value()) == std::vector<float>{5, 6, 1, 2, 5, 6});
  CHECK(values(scatter_rows(x, {3, 0, 1}, 4).value()) ==
        std::vector<float>{3, 4, 5, 6, 0, 0, 1, 2});
}

TEST_CASE("shape: gradient checks") {
  check_gradients([](const auto& in) { return reshape(in[0], {7, -1}); }, {{3, 7}});
  for (const Shape& shape : {Shape{1, 1}, {3, 5}, {2, 3, 33}, {2, 35, 3}})
    check_gradients([](const auto& in) { return transpose_last(in[0]); }, {shape});
  const Function concat = [](const auto& in) { return concat_channels(in[0], in[1]); };
  check_gradients(concat, {{1, 1}, {1, 1}});
  check_gradients(concat, {{3, 17}, {3, 5}});
  check_gradients(concat, {{2, 3, 5}, {2, 3, 197}});
  check_gradients([](const auto& in) { return concat_channels(in[0], in[0]); }, {{3, 5}});
  check_gradients([](const auto& in) { return gather_rows(in[0], {1, 1, 4, 0}); }, {{5, 3}});
  check_gradients([](const auto& in) { return gather_rows(in[0], {}); }, {{5, 3}});
  check_gradients([](const auto& in) { return scatter_rows(in[0], {6, 1, 3}, 7); }, {{3, 5}});
  // A view's gradient is a view as well: nobody may write through it while the other user needs it.
  check_gradients(
      [](const auto& in) { return add(gelu(reshape(in[0], {6})), reshape(gelu(in[0]), {6})); },
      {{2, 3}});
}

TEST_CASE("shape: errors") {
  const Variable x = variable({3, 2});
  check_error(
      [&] {
        reshape(x, {4, 2});
      },
      "[reshape] (3, 2) has 6 elements, (4, 2) asks for another number");
  check_error([&] { transpose_last(variable({3})); },
              "[transpose_last] input is (3,): expected at least 2 dimensions");
  check_error(
      [&] {
        concat_channels(x, variable({2, 2}));
      },
      "[concat_channels] b is (2, 2): expected (3, 2)");
  check_error([&] { concat_channels(x, variable({2})); },
              "[concat_channels] b is (2,): expected (3, 2)");
  check_error([&] { gather_rows(x, {3}); }, "[gather_rows] row 3 of (3, 2): expected 0..2");
  check_error([&] { scatter_rows(x, {0, 1}, 5); }, "[scatter_rows] 2 row numbers for input (3, 2)");
  check_error(
      [&] {
        scatter_rows(x, {0, 1, 1}, 5);
      },
      "[scatter_rows] row 1 of 5: expected distinct rows below the total");
}

}  // namespace shiftadd::test
