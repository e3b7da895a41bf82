// Spatial-reduction attention (PVT) composed of ops: golden values.
#include "tests/ops/op_test.h"

namespace shiftadd::test {
TEST_CASE("spatial_reduction_attention: golden") {
  GoldenCase golden("spatial_reduction_attention");
  const int64_t heads = golden.attributes().at("heads"), height = golden.attributes().at("height"),
                width = golden.attributes().at("width"), ratio = golden.attributes().at("sr_ratio");
  const Variable x = golden.leaf("x");
  const int64_t batch = x.dim(0), channels = x.dim(2);
  const Variable q = autograd::linear(x, golden.leaf("q_w"), golden.leaf("q_b"));
  const Variable image =
      autograd::reshape(autograd::transpose_last(x), {batch, channels, height, width});
  const Variable reduced =
      autograd::conv2d(image, golden.leaf("sr_w"), golden.leaf("sr_b"), ratio, 0);
  const Variable tokens =
      autograd::transpose_last(autograd::reshape(reduced, {batch, channels, -1}));
  const Variable normed =
      autograd::layer_norm(tokens, golden.leaf("norm_w"), golden.leaf("norm_b"), 1e-5);
  const Variable kv = autograd::linear(normed, golden.leaf("kv_w"), golden.leaf("kv_b"));
  const int64_t keys = kv.dim(1);
  const Variable rows = autograd::reshape(kv, {batch * keys * 2, channels});  // k, v alternate
  std::vector<int64_t> k_rows, v_rows;
  for (int64_t i = 0; i < batch * keys; ++i) k_rows.push_back(2 * i), v_rows.push_back(2 * i + 1);
  const auto part = [&](std::vector<int64_t> which) {
    return autograd::reshape(autograd::gather_rows(rows, std::move(which)),
                             {batch, keys, channels});
  };
  const Variable out = autograd::softmax_attention(q, part(k_rows), part(v_rows), heads);
  golden.check(autograd::linear(out, golden.leaf("proj_w"), golden.leaf("proj_b")));
}

}  // namespace shiftadd::test
