// Operation counts against hand-made sums, and the spec that says what is converted.
#include "model/op_count.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "core/tensor.h"

using namespace shiftadd;
using nlohmann::json;

namespace {

ModelSpec converted(const BlockKinds& block) {
  ModelSpec spec = named_spec("vit_micro");
  spec.shift_add.int8_activations = true;
  spec.shift_add.values = ValueFormat::kInt8;
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth), block);
  return spec;
}

const OpCounts& of(const ModelCost& cost, const std::string& name) {
  for (const LayerCost& layer : cost.layers)
    if (layer.name == name) return layer.counts;
  FAIL("no layer ", name);
  return cost.total;
}

}  // namespace

TEST_CASE("a plain network's multiplications are its multiply-accumulates") {
  for (const char* name : {"vit_micro", "vit_cifar", "deit_tiny_patch16_224"}) {
    const ModelSpec spec = named_spec(name);
    const ModelCost cost = count_operations(spec);
    CHECK(cost.total.multiplications == count_macs(spec).total());
    CHECK(cost.total.additions == cost.total.multiplications);
    CHECK(cost.total.shifts == 0);
    CHECK(cost.weight_bytes == 4.0 * static_cast<double>(count_parameters(spec)));
    CHECK(cost.total.unit_millijoules ==
          doctest::Approx(4.6e-9 * static_cast<double>(count_macs(spec).total())));
    OpCounts sum;
    for (const LayerCost& layer : cost.layers) sum += layer.counts;
    CHECK(sum.eyeriss.millijoules == doctest::Approx(cost.total.eyeriss.millijoules));
    CHECK(sum.bytes == doctest::Approx(cost.total.bytes));
  }
}

TEST_CASE("a converted block's operations, counted by hand") {
  // vit_micro: 17 tokens, width 48, 3 heads of 16, hidden 192.
  const ModelSpec spec = converted({.attention = AttentionKind::kLinearAdd,
                                    .qkv = LayerKind::kShift,
                                    .proj = LayerKind::kShift,
                                    .mlp = LayerKind::kMixture});
  CHECK(router_names(spec) == std::vector<std::string>{"blocks.0.mlp", "blocks.1.mlp"});
  const ModelCost cost = count_operations(spec, {0.6, 1.0});  // 10 of 17 tokens, and all
  CHECK(of(cost, "blocks.0.attn.qkv").shifts == 17 * 48 * 144);
  CHECK(of(cost, "blocks.0.attn.qkv").multiplications == 0);
  CHECK(of(cost, "blocks.0.attn.k_v").additions == 17 * 16 * 16 * 3);
  CHECK(of(cost, "blocks.0.attn.q_kv").additions == 17 * 16 * 16 * 3);
  CHECK(of(cost, "blocks.0.attn.k_v").multiplications == 0);
  CHECK(of(cost, "blocks.0.attn.token_conv").multiplications == 16 * 48 * 9);
  CHECK(of(cost, "blocks.0.mlp.router").multiplications == 17 * 48 * 2);
  CHECK(of(cost, "blocks.0.mlp.experts.0.fc1").multiplications == 7 * 48 * 192);
  CHECK(of(cost, "blocks.0.mlp.experts.1.fc2").shifts == 10 * 48 * 192);
  for (const LayerCost& layer : cost.layers)
    CHECK(layer.name.find("blocks.1.mlp.experts.0") == std::string::npos);
  const int64_t patches = 16 * 768 * 48, head = 48 * 7;
  CHECK(cost.total.multiplications ==
        patches + head + 2 * (16 * 48 * 9 + 17 * 48 * 2) + 7 * 48 * 192 * 2);
  CHECK(cost.total.shifts == 2 * 17 * 48 * 192 + (10 + 17) * 48 * 192 * 2);
  CHECK(cost.total.eyeriss.millijoules <
        count_operations(named_spec("vit_micro")).total.eyeriss.millijoules);
  // Bytes of a Shift layer: nibbles, float bias, int8 in, float out.
  CHECK(of(cost, "blocks.0.attn.proj").bytes == 48 * 48 / 2 + 48 * 4 + 17 * 48 + 17 * 48 * 4);
}

TEST_CASE("codes take the multiplications out of one product of softmax attention") {
  const ModelCost plain = count_operations(converted({}));
  const ModelCost coded = count_operations(converted({.attention = AttentionKind::kSoftmaxAdd}));
  const int64_t product = 17 * 17 * 48;
  CHECK(plain.total.multiplications - coded.total.multiplications == 2 * product);
  CHECK(coded.total.additions == plain.total.additions);
  const ModelCost free = count_operations(converted({}), {}, {.softmax_products_free = true});
  CHECK(plain.total.multiplications - free.total.multiplications == 4 * product);
}

TEST_CASE("codes of two bits in softmax_add, counted by hand: four counts a product") {
  ModelSpec spec = converted({.attention = AttentionKind::kSoftmaxAdd});
  const ModelCost signs = count_operations(spec);
  spec.shift_add.codes = Codes::kBipolar2;
  const ModelCost levels = count_operations(spec);
  CHECK(of(levels, "blocks.0.attn.q_k").additions == 4 * 17 * 17 * 48);
  CHECK(of(levels, "blocks.0.attn.q_k").multiplications == 0);
  CHECK(of(levels, "blocks.0.attn.attention_v").multiplications == 17 * 17 * 48);
  // Weights, int8 values and what is written.
  CHECK(of(levels, "blocks.0.attn.attention_v").bytes == 4 * 3 * 17 * 17 + 17 * 48 + 4 * 17 * 48);
  CHECK(levels.total.multiplications == signs.total.multiplications);
  CHECK(levels.total.additions - signs.total.additions == 2 * 3 * 17 * 17 * 48);
  // Codes of 17 queries and 17 keys, two bits each, and float32 scores.
  CHECK(of(levels, "blocks.0.attn.q_k").bytes == 2 * 17 * 48 * 2 / 8.0 + 4 * 3 * 17 * 17);
  CHECK(of(levels, "blocks.0.attn.q_k").unit_millijoules ==
        doctest::Approx(4 * 0.03e-9 * 17 * 17 * 48));
  CHECK(of(levels, "blocks.0.attn.q_k").eyeriss.millijoules >
        of(signs, "blocks.0.attn.q_k").eyeriss.millijoules);
  CHECK(levels.weight_bytes - signs.weight_bytes == 4 * 2 * 3);  // a temperature a head and block
}

TEST_CASE("linear attention with a window, counted by hand") {
  ModelSpec spec = converted({.attention = AttentionKind::kLinearAdd});
  spec.shift_add.codes = Codes::kBipolar2;
  const ModelCost cost = count_operations(spec);
  // A class token and 4 x 4 patches, 3 heads of 16. Both bits of a code add, to 16 channels of v
  // and to the sum of the keys.
  CHECK(of(cost, "blocks.0.attn.k_v").additions == 2 * 17 * 16 * 17 * 3);
  CHECK(of(cost, "blocks.0.attn.q_kv").additions == 2 * 17 * 16 * 17 * 3);
  CHECK(of(cost, "blocks.0.attn.k_v").unit_millijoules ==
        doctest::Approx(0.1e-9 * 2 * 17 * 16 * 17 * 3));
  const double codes = 2 * 17 * 48 / 8.0, state = 4 * 3 * 16 * 17;
  CHECK(of(cost, "blocks.0.attn.k_v").bytes == codes + 17 * 48 + state);
  CHECK(of(cost, "blocks.0.attn.q_kv").bytes == codes + 17 * 48 + state + 4 * 17 * 48);
  // Windows, with the class token: everything for that token, 5 keys in 4 corners, 7 at 8 edges,
  // 10 for the 4 inside.
  const int64_t pairs = 17 + 4 * 5 + 8 * 7 + 4 * 10;
  const OpCounts scores = of(cost, "blocks.0.attn.window.q_k");
  CHECK(scores.additions == 4 * pairs * 48);
  CHECK(scores.multiplications == 0);
  CHECK(scores.bytes == 2 * codes + 4 * 3 * pairs);
  CHECK(scores.unit_millijoules == doctest::Approx(0.03e-9 * 4 * pairs * 48));
  const OpCounts read = of(cost, "blocks.0.attn.window.v");
  CHECK(read.multiplications == pairs * 48);
  CHECK(read.bytes == 4 * 3 * pairs + 17 * 48 + 4 * 17 * 48);
  CHECK(read.unit_millijoules == doctest::Approx(4.6e-9 * pairs * 48));
  // The products of each size of window, 3 heads each.
  double energy = 0;
  for (const auto& [queries, size] : {std::pair<int64_t, int64_t>{1, 17}, {4, 5}, {8, 7}, {4, 10}})
    energy += eyeriss_energy({.batch = 3 * queries, .in = size, .out = 16}).millijoules;
  CHECK(read.eyeriss.millijoules == doctest::Approx(energy));
  // Exponential, difference and sum of each weight; five steps of each value.
  CHECK(of(cost, "blocks.0.attn.window.weights").other == 3 * 3 * pairs + 5 * 17 * 48);
  const ModelCost plain = count_operations(converted({}));
  CHECK(plain.total.multiplications - cost.total.multiplications ==
        2 * (2 * 17 * 17 * 48 - pairs * 48));
}

TEST_CASE("windows of narrow grids are counted as the kernels find them") {
  for (const Grid grid : {Grid(1, 1), Grid(1, 2), Grid(2, 2), Grid(2, 5), Grid(3, 3), Grid(4, 7)}) {
    ModelSpec spec = converted({.attention = AttentionKind::kLinearAdd});
    spec.shift_add.codes = Codes::kBipolar2;
    spec.patch_size = 8;
    spec.image_size = Grid(8 * grid.height, 8 * grid.width);
    const PatchGrid patches = {grid.height, grid.width, 1};
    int64_t pairs = 0;
    for (int64_t query = 0; query < patches.tokens(); ++query) pairs += patches.window_size(query);
    CHECK(of(count_operations(spec), "blocks.0.attn.window.v").multiplications == pairs * 48);
  }
}

TEST_CASE("the released code's miscounts change only what they name") {
  ModelSpec spec = converted({.attention = AttentionKind::kLinearAdd, .mlp = LayerKind::kMixture});
  spec.shift_add.gate = GateKind::kProbability;
  const std::vector<double> shares = {0.5, 0.5};
  const ModelCost honest = count_operations(spec, shares);
  const ModelCost first = count_operations(spec, shares, {.every_add_as_the_first = true});
  CHECK(of(first, "blocks.1.attn.q_kv").eyeriss.millijoules ==
        of(honest, "blocks.0.attn.k_v").eyeriss.millijoules);
  CHECK(of(honest, "blocks.1.attn.q_kv").eyeriss.millijoules !=
        of(honest, "blocks.0.attn.k_v").eyeriss.millijoules);
  const ModelCost instant = count_operations(spec, shares, {.elementwise_latency_missing = true});
  CHECK(instant.total.eyeriss.milliseconds < honest.total.eyeriss.milliseconds);
  CHECK(instant.total.eyeriss.millijoules == honest.total.eyeriss.millijoules);
  CHECK(of(honest, "blocks.0.mlp.gate").multiplications == 17 * 48);
}

TEST_CASE("a fixed split costs no router") {
  ModelSpec spec = converted({.mlp = LayerKind::kMixture});
  const std::vector<double> shares = {0.5, 0.5};
  const int64_t routed = count_operations(spec, shares).total.multiplications;
  spec.shift_add.gate = GateKind::kFixedSplit;
  const ModelCost split = count_operations(spec, {0.9, 0.1});  // its own share: 8 of 17 tokens
  CHECK(of(split, "blocks.1.mlp.experts.1.fc1").shifts == 8 * 48 * spec.mlp_hidden);
  CHECK(routed - split.total.multiplications == 2 * 17 * 48 * 2);
}

TEST_CASE("shares are checked") {
  const ModelSpec spec = converted({.mlp = LayerKind::kMixture});
  CHECK_THROWS_AS(count_operations(spec), Error);
  CHECK_THROWS_AS(count_operations(spec, {0.5}), Error);
  CHECK_THROWS_AS(count_operations(spec, {0.5, 1.1}), Error);
  CHECK_THROWS_AS(count_operations(spec, {0.5, std::nan("")}), Error);
}

TEST_CASE("op count: sizes that no counter holds are refused at once; huge ones are counted") {
  ModelSpec spec = named_spec("vit_micro");
  spec.image_size = 16384;
  spec.patch_size = 1;
  CHECK_THROWS_WITH_AS(count_operations(spec), doctest::Contains("lower the network's image_size"),
                       Error);
  spec.patch_size = 16;
  const OpCounts huge = count_operations(spec).total;
  CHECK(huge.multiplications > int64_t{1} << 40);
  CHECK(huge.multiplications == count_macs(spec).total());
  spec = named_spec("vit_micro");
  spec.depth = 16384;
  CHECK(count_operations(spec).total.multiplications == count_macs(spec).total());
}

TEST_CASE("a ShiftAdd spec survives its JSON form and its parameters have names") {
  ModelSpec spec = converted({.attention = AttentionKind::kLinearAdd,
                              .qkv = LayerKind::kMixture,
                              .proj = LayerKind::kShift,
                              .mlp = LayerKind::kMixture});
  spec.shift_add.blocks[1] = {};
  CHECK(parse_model_spec(json_text(to_json(spec)), "net.json") == spec);
  CHECK(to_json(named_spec("vit_micro")).contains("shift_add") == false);
  const auto has = [&](const char* name, const Shape& shape, bool shift) {
    const auto list = parameters_of(spec);
    return std::any_of(list.begin(), list.end(), [&](const Parameter& each) {
      return each.name == name && each.shape == shape && each.is_shift() == shift;
    });
  };
  CHECK(has("blocks.0.attn.qkv.router.weight", {2, 48}, false));
  CHECK(has("blocks.0.attn.qkv.experts.1.weight", {144, 48}, true));
  CHECK(has("blocks.0.attn.token_conv.weight", {3, 1, 9, 1}, false));
  CHECK(has("blocks.0.mlp.experts.0.fc1.weight", {192, 48}, false));
  CHECK(has("blocks.1.mlp.fc1.weight", {192, 48}, false));
  spec.shift_add.form = ShiftForm::kPs;
  spec.shift_add.format = ShiftFormat::k5Bit;
  spec.shift_add.local = LocalKind::kDepthwise2d;
  CHECK(has("blocks.0.attn.proj.sign", {48, 48}, true));
  CHECK(has("blocks.0.attn.token_conv.weight", {3, 1, 5, 5}, false));

  const auto refused = [](const char* text, const char* reason) {
    try {
      parse_model_spec(text, "net.json");
      FAIL_CHECK("accepted: ", text);
    } catch (const Error& error) {
      CHECK_MESSAGE(std::string(error.what()).find(reason) != std::string::npos, error.what());
    }
  };
  refused(R"({"base": "vit_micro", "shift_add": {"blocks": [{}]}})", "depth 2");
  refused(R"({"base": "vit_micro", "shift_add": {"coeds": "sign"}})", "did you mean 'codes'");
  refused(R"({"base": "vit_micro", "shift_add": {"codes": "sing"}})", "did you mean 'sign'");
  refused(R"({"base": "vit_micro", "shift_add": {"form": "ps"}})", "5bit");
  refused(R"({"base": "vit_micro", "shift_add": {"blocks": [{"mlp": "shfit"}, {}]}})", "blocks[0]");
}
