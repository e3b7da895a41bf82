// patch_embed: conv2d's numbers in token order, gradients, errors.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::patch_embed;

TEST_CASE("patch_embed: equals conv2d, transposed") {
  const Variable x = variable({2, 3, 8, 12}), w = variable({5, 3, 4, 4}, 2), b = variable({5}, 3);
  const Variable map = autograd::conv2d(x, w, b, 4, 0);
  const Variable tokens = autograd::transpose_last(autograd::reshape(map, {2, 5, 6}));
  check_close(patch_embed(x, w, b).value(), tokens.value(), 1e-6, "tokens");
}

TEST_CASE("patch_embed: gradient check") {
  check_gradients([](const auto& in) { return patch_embed(in[0], in[1], in[2]); },
                  {{2, 3, 6, 9}, {5, 3, 3, 3}, {5}});
  check_gradients([](const auto& in) { return patch_embed(in[0], in[1], {}); },
                  {{1, 1, 1, 1}, {1, 1, 1, 1}});
}

TEST_CASE("patch_embed: errors") {
  check_error(
      [] {
        patch_embed(variable({2, 3, 10, 12}), variable({5, 3, 4, 4}), {});
      },
      "[patch_embed] weight is (5, 3, 4, 4), image is (2, 3, 10, 12): expected square patches and "
      "sides "
      "divisible by 4");
}

}  // namespace shiftadd::test
