// A third family, described here and nowhere else: a pyramid of two levels goes through every room.

#include "model/convert.h"
#include "tests/model/meaningless_names.h"

using namespace shiftadd;

namespace {

enum Stage { kDense, kAttention, kMixtures };

// Stage 1 turns attention into additions, stage 2 gives each layer of the MLPs a router.
LevelSpec toy_level(int64_t number, const Grid& input, ConvSpec patches, int64_t heads,
                    Stage stage) {
  const std::string at = concat("stage", number), block_name = at + ".b0";
  const int64_t width = patches.out;
  const bool reduces = number == 1, linear = !reduces && stage >= kAttention;
  const LayerKind shift = stage == kMixtures ? LayerKind::kShift : LayerKind::kMultiply,
                  mixed = stage == kMixtures ? LayerKind::kMixture : LayerKind::kMultiply;
  const auto norm = [&](const std::string& name, double eps = 1e-6) {
    return NormSpec{name, width, eps};
  };
  SeparateKv projection = {.q = {block_name + ".q", width, width, shift},
                           .kv = {block_name + ".kv", width, 2 * width, LayerKind::kMultiply},
                           .reduction = {},
                           .reduction_norm = {}};
  if (reduces) {
    projection.reduction = ConvSpec{block_name + ".sr", width, width, 2, 2, 0};
    projection.reduction_norm = norm(block_name + ".sr_norm", 1e-5);
  }
  BlockSpec block;
  block.name = block_name;
  block.grid = patches.grid_of(input);
  block.width = width;
  block.norm1 = norm(block_name + ".n1"), block.norm2 = norm(block_name + ".n2");
  block.attention = {.name = block_name + ".attn",
                     .kind = stage == kDense ? AttentionKind::kSoftmax
                             : linear        ? AttentionKind::kLinearAdd
                                             : AttentionKind::kSoftmaxAdd,
                     .heads = heads,
                     .head_dim = width / heads,
                     .codes = {stage == kDense ? Codes::kNone : Codes::kSign, width / heads},
                     .projection = projection,
                     .proj = {block_name + ".proj", width, width, shift},
                     .local = {}};
  if (linear)
    block.attention.local = FilterSpec{block_name + ".local", LocalKind::kDepthwise2d, heads};
  block.mlp = {.name = block_name + ".mlp",
               .routed = false,
               .fc1 = {"up", width, 3 * width, mixed},
               .fc2 = {"down", 3 * width, width, mixed},
               .depthwise = DepthwiseSpec{"dw", 3 * width, 3}};
  LevelSpec level;
  patches.name = at + ".patches";
  level.patches = patches;
  level.patch_norm = norm(at + ".patch_norm", 1e-5);
  level.grid = block.grid;
  level.blocks = {block};
  level.norm = norm(at + ".norm");
  return level;
}

Network toy(Stage stage) {
  Network toy;
  toy.name = "toy";
  toy.options.int8_activations = true;
  toy.channels = 3;
  toy.image = {14, 22};
  const ConvSpec first = {"", 3, 16, 5, 3, 2}, second = {"", 16, 24, 3, 2, 1};
  toy.levels = {toy_level(1, toy.image, first, 2, stage),
                toy_level(2, first.grid_of(toy.image), second, 3, stage)};
  toy.pooling = Pooling::kMean;
  toy.head = LinearSpec{"classifier", 24, 5};
  return toy;
}

}  // namespace

TEST_CASE("toy family: trained, converted in both stages, packed, run, counted, drawn") {
  test::check_stages(toy(kDense), toy(kAttention), toy(kMixtures));
  const std::vector<Router> routers = routers_of(toy(kMixtures));
  REQUIRE(routers.size() == 4);  // fc1 and fc2 of each level have one each
  CHECK(routers[1].name == "stage1.b0.mlp.down");
  CHECK(routers[3].tokens == 12);
}

TEST_CASE("toy family: nothing depends on what layers are called") {
  test::check_names_do_not_matter(toy(kDense), toy(kAttention), toy(kMixtures));
}

TEST_CASE("toy family: to foreign names and back") {
  const Dialect back = Dialect::parse(
      R"({"rules": [{"from": "block{N}.0.{rest}", "to": "stage{N}.b0.{rest}"}]})", "rules");
  const NamedTensors weights = layers::Model(toy(kDense), {}, 1).state_dict();
  WeightsFile file;
  for (const auto& [name, tensor] : weights) {
    std::string theirs = name;
    if (const std::size_t at = name.find(".b0."); at != std::string::npos)
      theirs = concat("block", name.substr(5, at - 5), ".0.", name.substr(at + 4));
    file.tensors.emplace_back("module." + theirs, tensor);
  }
  CHECK_FALSE(convert_weights(file, toy(kDense), {}).problems.empty());
  WeightsFile stripped = file;
  for (auto& [name, tensor] : stripped.tensors) name = name.substr(7);
  for (const WeightsFile& each : {file, stripped}) {
    const Conversion conversion = convert_weights(each, toy(kDense), {back});
    CHECK(conversion.problems.empty());
    REQUIRE(conversion.weights.size() == weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      CHECK(conversion.weights[i].first == weights[i].first);
      CHECK(conversion.weights[i].second.shares_memory(weights[i].second));
    }
  }
}
