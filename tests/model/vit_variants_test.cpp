// What the kin of DeiT do differently, each part at least once, goes through what every family must
// do: trained, converted in both stages, packed, run, counted, drawn.
#include "tests/model/meaningless_names.h"

using namespace shiftadd;

namespace {

struct Stages {
  Network plain, adds, mixed;
};

// `linear`: linear attention on codes and mixtures everywhere; else softmax on codes, Shift layers
// and routed MLPs.
Stages stages_of(ModelSpec spec, bool linear) {
  validate(spec);
  const AttentionKind attention = linear ? AttentionKind::kLinearAdd : AttentionKind::kSoftmaxAdd;
  const LayerKind layers = linear ? LayerKind::kMixture : LayerKind::kShift;
  const auto converted = [&](BlockKinds kinds) {
    spec.shift_add.int8_activations = true;
    spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth), kinds);
    return network_of(spec);
  };
  return {converted({}),
          converted({attention, LayerKind::kMultiply, LayerKind::kMultiply, LayerKind::kMultiply}),
          converted({attention, layers, layers, LayerKind::kMixture})};
}

ModelSpec micro() { return named_spec("vit_micro"); }

ModelSpec distilled() {
  ModelSpec spec = micro();
  spec.distillation = true;
  return spec;
}
ModelSpec dinov2() {
  ModelSpec spec = micro();
  spec.registers = 3;
  spec.positions = PositionScope::kNoRegisters;
  spec.layer_scale = true;
  spec.activation = HiddenActivation::kSwiGlu;
  spec.mlp_hidden =
      80;  // fc1's outputs are the widest of the MLP, fc2's inputs the widest it reads
  spec.pooling = Pooling::kClassTokenAndMean;
  return spec;
}
ModelSpec clip() {
  ModelSpec spec = micro();
  spec.embedding_norm = true;
  spec.activation = HiddenActivation::kQuickGelu;
  spec.patch_bias = false;
  spec.projection = 20;
  spec.classes = 0;
  spec.norm_eps = 1e-5;
  return spec;
}
ModelSpec deit3() {
  ModelSpec spec = micro();
  spec.positions = PositionScope::kPatches;
  spec.layer_scale = true;
  spec.activation = HiddenActivation::kGeluTanh;
  spec.pre_logits = 24;
  return spec;
}
ModelSpec mean_of_patches() {
  ModelSpec spec = micro();
  spec.class_token = false;
  spec.pooling = Pooling::kMean;
  spec.final_norm = false;
  spec.fc_norm = true;
  spec.qkv_bias = QkvBias::kNone;
  spec.activation = HiddenActivation::kRelu;
  return spec;
}
ModelSpec registers_and_mean() {
  ModelSpec spec = mean_of_patches();
  spec.registers = 2;
  spec.fc_norm = false;
  spec.final_norm = true;
  spec.qkv_bias = QkvBias::kQueryValue;
  return spec;
}
ModelSpec post_norm() {
  ModelSpec spec = micro();
  spec.in_channels = 1;
  spec.post_norm = true;
  spec.final_norm = false;
  spec.activation = HiddenActivation::kRelu;
  spec.attention_scale = 0.4;
  spec.layer_scale = true;
  return spec;
}

void check(const ModelSpec& spec) {
  for (const bool linear : {false, true}) {
    CAPTURE(linear);
    const Stages stages = stages_of(spec, linear);
    test::check_stages(stages.plain, stages.adds, stages.mixed);
  }
}

}  // namespace

TEST_CASE("vit variants: two tokens and two heads, as distilled DeiT") { check(distilled()); }
TEST_CASE("vit variants: registers, factors a channel and SwiGLU, as DINOv2") { check(dinov2()); }
TEST_CASE("vit variants: a norm before the blocks and a projection for a head, as CLIP") {
  check(clip());
}
TEST_CASE("vit variants: positions of the patches alone, as DeiT III; pre-logits") {
  check(deit3());
}
TEST_CASE("vit variants: the mean of the patches and its norm, without a class token") {
  check(mean_of_patches());
}
TEST_CASE("vit variants: registers with positions, before a mean that leaves them out") {
  check(registers_and_mean());
}
TEST_CASE("vit variants: norms behind the sums, ReLU, a scale of attention, one channel") {
  check(post_norm());
}

TEST_CASE("vit variants: nothing depends on what layers are called") {
  for (const ModelSpec& spec : {distilled(), dinov2(), deit3()}) {
    const Stages stages = stages_of(spec, true);
    test::check_names_do_not_matter(stages.plain, stages.adds, stages.mixed);
  }
}
