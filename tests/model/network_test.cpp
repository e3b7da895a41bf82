// A network resolved: names, roles and places of parameters, routers with their own sizes; and
// that packing looks at roles, never at names.
#include "model/network.h"

#include <cstring>
#include <functional>
#include <map>
#include <set>

#include "core/random.h"
#include "model/pack.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

// Every kind of layer: linear attention with a filter, softmax on codes, mixtures and shifts.
ModelSpec mixed_spec() {
  ModelSpec spec = named_spec("vit_micro");
  spec.depth = 3;
  spec.shift_add.int8_activations = true;
  spec.shift_add.blocks = {
      {.attention = AttentionKind::kLinearAdd,
       .qkv = LayerKind::kMixture,
       .proj = LayerKind::kShift,
       .mlp = LayerKind::kMixture},
      {.attention = AttentionKind::kSoftmaxAdd, .qkv = LayerKind::kShift, .mlp = LayerKind::kShift},
      {.attention = AttentionKind::kSoftmax, .proj = LayerKind::kMixture}};
  return spec;
}

NamedTensors random_weights(const std::vector<Parameter>& parameters) {
  NamedTensors weights;
  Random random(7, 0);
  for (const Parameter& parameter : parameters) {
    Tensor values(parameter.shape);
    for (float& x : values.span<float>()) x = static_cast<float>(random.normal());
    weights.emplace_back(parameter.name, values);
  }
  return weights;
}

// Names that say nothing: of layers and of their parameters.
std::vector<Parameter> meaningless(std::vector<Parameter> parameters) {
  std::map<std::string, std::string> layers;
  for (Parameter& parameter : parameters) {
    std::string& layer = layers[parameter.layer];
    if (layer.empty()) layer = concat("L", layers.size());
    parameter.layer = layer;
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].name = concat("p", i);
  return parameters;
}

}  // namespace

TEST_CASE("network: each parameter says what it is, where it is, and how often it multiplies") {
  const ModelSpec spec = mixed_spec();
  std::map<std::string, Parameter> found;
  for (const Parameter& each : parameters_of(spec)) found[each.name] = each;
  const auto check = [&](const std::string& name, Role role, LayerId id, int64_t depth,
                         int64_t uses) {
    INFO(name);
    REQUIRE(found.contains(name));
    CHECK(found[name].role == role);
    CHECK(found[name].id == id);
    CHECK(found[name].depth == depth);
    CHECK(found[name].uses == uses);
  };
  check("cls_token", Role::kToken, {Layer::kClassToken}, 0, 0);
  check("patch_embed.proj.weight", Role::kMatrix, {Layer::kPatches}, 0, 16);
  check("blocks.0.attn.qkv.router.bias", Role::kRouter, {Layer::kQkv, 0}, 1, 0);
  check("blocks.0.attn.qkv.experts.1.weight", Role::kShiftWeight, {Layer::kQkv, 0, 1}, 1, 17);
  check("blocks.0.attn.token_conv.weight", Role::kFilter, {Layer::kLocal, 0}, 1, 16 * 16);
  check("blocks.0.mlp.router.weight", Role::kRouter, {Layer::kMlp, 0}, 1, 17);
  check("blocks.0.mlp.experts.0.fc2.bias", Role::kBias, {Layer::kFc2, 0, 0}, 1, 0);
  check("blocks.2.norm2.weight", Role::kNorm, {Layer::kNorm2, 2}, 3, 0);
  check("norm.bias", Role::kBias, {Layer::kNorm}, 4, 0);
  check("head.weight", Role::kHead, {Layer::kHead}, 4, 1);
}

TEST_CASE("network: a place is one parameter's") {
  ModelSpec spec = mixed_spec();
  for (const ShiftForm form : {ShiftForm::kQ, ShiftForm::kPs}) {
    spec.shift_add.form = form;
    std::set<std::tuple<LayerId, Role, std::size_t>> places;
    const std::vector<Parameter> parameters = parameters_of(spec);
    for (const Parameter& each : parameters) places.insert({each.id, each.role, each.shape.size()});
    CHECK(places.size() == parameters.size());
  }
}

TEST_CASE("network: a router knows its own tokens and the widths of its experts") {
  const std::vector<Router> routers = routers_of(mixed_spec());
  REQUIRE(routers.size() == 3);
  const auto check = [](const Router& router, const char* name, const char* layer, int64_t hidden,
                        int64_t out) {
    CHECK(router.name == name);
    CHECK(router.layer == layer);
    CHECK(router.tokens == 17);
    CHECK(router.in == 48);
    CHECK(router.hidden == hidden);
    CHECK(router.out == out);
  };
  check(routers[0], "blocks.0.attn.qkv", "qkv", 0, 144);
  check(routers[1], "blocks.0.mlp", "mlp", 192, 48);
  check(routers[2], "blocks.2.attn.proj", "proj", 0, 48);
}

TEST_CASE("network: packing reads roles, whatever parameters are called") {
  const ModelSpec spec = mixed_spec();
  const std::vector<Parameter> named = parameters_of(spec), other = meaningless(named);
  const NamedTensors weights = random_weights(named), renamed = random_weights(other);
  for (const char* format : {"float32", "bf16", "int8"}) {
    const PackSpec pack = pack_in(format);
    const NamedTensors expected = pack_weights(named, spec.shift_add, weights, pack),
                       got = pack_weights(other, spec.shift_add, renamed, pack);
    REQUIRE(got.size() == expected.size());
    bool all_equal = true;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const Tensor &a = got[i].second, &b = expected[i].second;
      all_equal = all_equal && a.dtype() == b.dtype() && a.shape() == b.shape() &&
                  std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
    }
    CHECK_MESSAGE(all_equal, format);
  }
}

TEST_CASE("network: what cannot be is refused, named") {
  const Network sound = network_of(mixed_spec());
  validate(sound);
  const auto refused = [&](const char* where, const std::function<void(Network&)>& damage) {
    Network network = sound;
    damage(network);
    CHECK_THROWS_WITH_AS(validate(network), doctest::Contains(where), Error);
  };
  const auto in_block = [&](const std::function<void(BlockSpec&)>& damage) {
    refused("blocks.1", [&](Network& network) { damage(network.levels[0].blocks[1]); });
  };
  refused("levels", [](Network& n) { n.levels.clear(); });
  refused("has blocks", [](Network& n) { n.levels[0].blocks.clear(); });
  refused("grid", [](Network& n) { n.image.width += n.levels[0].patches.stride; });
  refused("only the last level", [](Network& n) { n.levels.push_back(n.levels[0]); });
  refused("positions", [](Network& n) { n.levels[0].patch_norm = NormSpec{"x", 48, 1e-6}; });
  refused("registers", [](Network& n) { n.levels[0].registers = "x"; });
  refused("class token", [](Network& n) {
    n.levels[0].class_token.clear();
    n.levels[0].distillation_token = "x";
  });
  refused("norm of tokens", [](Network& n) { n.levels[0].token_norm = NormSpec{"x", 3, 1e-6}; });
  refused("norm of what is read", [](Network& n) { n.fc_norm = NormSpec{"x", 3, 1e-6}; });
  refused("behind the pooling", [](Network& n) { n.pre_logits = LinearSpec{"x", 48, 24}; });
  refused("distilled head", [](Network& n) { n.distilled_head = LinearSpec{"x", 48, 7}; });
  refused("that is read", [](Network& n) {
    n.levels[0].class_token.clear();
    for (BlockSpec& block : n.levels[0].blocks) block.prefix = 0;
  });
  refused("head", [](Network& n) { n.head->in = 7; });
  refused("twice", [](Network& n) { n.head->name = n.norm->name; });
  in_block([](BlockSpec& block) { block.grid.width = 3; });
  in_block([](BlockSpec& block) { block.norm2.width = 3; });
  in_block([](BlockSpec& block) { block.attention.heads = 0; });
  in_block([](BlockSpec& block) { block.attention.codes.width = 0; });
  in_block([](BlockSpec& block) { block.attention.codes.kind = Codes::kNone; });
  in_block([](BlockSpec& block) { block.attention.proj.out = 3; });
  in_block([](BlockSpec& block) { std::get<FusedQkv>(block.attention.projection).qkv.out = 3; });
  in_block([](BlockSpec& block) { block.attention.local = FilterSpec{"x"}; });
  in_block([](BlockSpec& block) { block.mlp.fc2.in = 3; });
  in_block([](BlockSpec& block) { block.mlp.routed = true; });
  in_block([](BlockSpec& block) { block.mlp.depthwise = DepthwiseSpec{"dw", 192, 2}; });
}
