// conv2d: golden values, gradients, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::conv2d;
using autograd::conv2d_tokens;

TEST_CASE("conv2d: golden") {
  for (const std::string& name : golden_cases("conv2d_")) {
    GoldenCase golden(name);
    golden.check(conv2d(golden.leaf("x"), golden.leaf("w"), golden.leaf("bias"),
                        golden.attributes().at("stride").get<int64_t>(),
                        golden.attributes().at("padding").get<int64_t>()));
  }
}

TEST_CASE("conv2d: gradient check") {
  check_gradients([](const auto& in) { return conv2d(in[0], in[1], in[2], 2, 1); },
                  {{2, 3, 5, 7}, {3, 3, 3, 3}, {3}});
  check_gradients([](const auto& in) { return conv2d(in[0], in[1], {}, 1, 0); },
                  {{1, 1, 1, 1}, {1, 1, 1, 1}});
  check_gradients([](const auto& in) { return conv2d(in[0], in[1], in[2], 3, 2); },
                  {{1, 2, 4, 3}, {5, 2, 1, 3}, {5}});
}

TEST_CASE("conv2d_tokens: the same numbers, a row for each place") {
  struct Case {
    Shape x, w;
    int64_t stride, padding, places;
  };
  // A kernel that overlaps, and patches of images: kernel = stride.
  for (const Case& c :
       {Case{{2, 3, 5, 7}, {4, 3, 3, 3}, 2, 1, 12}, Case{{2, 3, 8, 12}, {5, 3, 4, 4}, 4, 0, 6}}) {
    const int64_t outputs = c.w[0];
    const Variable x = variable(c.x), w = variable(c.w, 2), b = variable({outputs}, 3);
    const Variable planes = conv2d(x, w, b, c.stride, c.padding),
                   tokens = conv2d_tokens(x, w, b, c.stride, c.padding);
    CHECK(tokens.shape() == Shape{2, c.places, outputs});
    check_close(autograd::transpose_last(tokens).value(),
                planes.value().reshape({2, outputs, c.places}), 1e-6, "tokens");
  }
  check_gradients([](const auto& in) { return conv2d_tokens(in[0], in[1], in[2], 2, 1); },
                  {{2, 3, 5, 7}, {3, 3, 3, 3}, {3}});
  check_gradients([](const auto& in) { return conv2d_tokens(in[0], in[1], in[2], 3, 0); },
                  {{2, 3, 6, 9}, {5, 3, 3, 3}, {5}});
  check_gradients([](const auto& in) { return conv2d_tokens(in[0], in[1], {}, 1, 0); },
                  {{1, 1, 1, 1}, {1, 1, 1, 1}});
}

TEST_CASE("conv2d_tokens: errors") {
  check_error(
      [] {
        conv2d_tokens(variable({2, 3, 3, 12}), variable({5, 3, 4, 4}), {}, 4, 0);
      },
      "[conv2d_tokens] weight is (5, 3, 4, 4), input is (2, 3, 3, 12) with padding 0: the "
      "kernel does not fit into the image");
}

TEST_CASE("conv2d: errors") {
  const Variable x = variable({2, 3, 5, 7});
  check_error(
      [&] {
        conv2d(x, variable({4, 2, 3, 3}), {}, 1, 1);
      },
      "[conv2d] weight is (4, 2, 3, 3), input is (2, 3, 5, 7): expected 2 input channels");
  check_error(
      [&] {
        conv2d(x, variable({4, 3, 6, 3}), {}, 1, 0);
      },
      "[conv2d] weight is (4, 3, 6, 3), input is (2, 3, 5, 7) with padding 0: the kernel does not "
      "fit "
      "into the image");
  check_error(
      [&] {
        conv2d(x, variable({4, 3, 3, 3}), {}, 0, 0);
      },
      "[conv2d] stride is 0, padding is 0: expected stride >= 1 and padding >= 0");
  check_error(
      [&] {
        conv2d(x, variable({4, 3, 3, 3}), variable({3}), 1, 0);
      },
      "[conv2d] bias is (3,): expected (4,)");
}

}  // namespace shiftadd::test
