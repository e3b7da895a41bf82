// Resolves the vision transformer (ViT, DeiT and their kin): timm's names, one level.
#include "model/network.h"

namespace shiftadd {
namespace {

// softmax_add has signs where linear_add's codes are none of its own.
CodeSpec codes_of(const ModelSpec& spec, AttentionKind kind) {
  const bool two_bits = spec.shift_add.codes == Codes::kBipolar2;
  const Codes codes = kind == AttentionKind::kSoftmaxAdd
                          ? (two_bits ? Codes::kBipolar2 : Codes::kSign)
                      : kind == AttentionKind::kLinearAdd ? spec.shift_add.codes
                                                          : Codes::kNone;
  return {codes, spec.head_dim()};
}

BlockSpec block_of(const ModelSpec& spec, int64_t index) {
  const BlockKinds kinds = spec.block(index);
  const std::string name = concat("blocks.", index), attention = name + ".attn";
  const int64_t width = spec.width;
  BlockSpec block;
  block.name = name;
  block.grid = spec.grid();
  block.prefix = spec.prefix();
  block.width = width;
  block.norm1 = {name + ".norm1", width, spec.norm_eps};
  block.norm2 = {name + ".norm2", width, spec.norm_eps};
  block.post_norm = spec.post_norm;
  if (spec.layer_scale) {
    block.scale1 = name + ".ls1.gamma";
    block.scale2 = name + ".ls2.gamma";
  }
  block.attention = {.name = attention,
                     .kind = kinds.attention,
                     .heads = spec.heads,
                     .head_dim = spec.head_dim(),
                     .scale = spec.attention_scale,
                     .codes = codes_of(spec, kinds.attention),
                     .projection = FusedQkv{{attention + ".qkv", width, 3 * width, kinds.qkv,
                                             spec.qkv_bias != QkvBias::kNone}},
                     .proj = {attention + ".proj", width, width, kinds.proj},
                     .local = std::nullopt};
  if (block.attention.adds()) block.attention.values = spec.shift_add.values;
  if (block.attention.codes.kind == Codes::kBipolar2)
    block.attention.temperature = attention + ".temperature";
  if (kinds.is_linear() && !block.attention.has_window())
    block.attention.local = {attention + ".token_conv", spec.shift_add.local, spec.heads};
  block.mlp = {.name = name + ".mlp",
               .routed = kinds.mlp == LayerKind::kMixture,
               .activation = spec.activation,
               .fc1 = {"fc1", width, inputs_of(spec.activation) * spec.mlp_hidden, kinds.mlp},
               .fc2 = {"fc2", spec.mlp_hidden, width, kinds.mlp},
               .depthwise = std::nullopt};
  return block;
}

}  // namespace

Network network_of(const ModelSpec& spec) {
  LevelSpec level;
  if (spec.class_token) level.class_token = "cls_token";
  if (spec.distillation) level.distillation_token = "dist_token";
  if (spec.registers) level.registers = "reg_token";
  level.register_count = spec.registers;
  level.positions = "pos_embed";
  level.scope = spec.positions;
  level.patches = {.name = "patch_embed.proj",
                   .in = spec.in_channels,
                   .out = spec.width,
                   .kernel = spec.patch_size,
                   .stride = spec.patch_size,
                   .bias = spec.patch_bias};
  if (spec.embedding_norm) level.token_norm = NormSpec{"norm_pre", spec.width, spec.norm_eps};
  level.grid = spec.grid();
  for (int64_t i = 0; i < spec.depth; ++i) level.blocks.push_back(block_of(spec, i));
  Network network;
  network.name = spec.name;
  network.channels = spec.in_channels;
  network.image = spec.image_size;
  network.options = spec.shift_add;
  network.options.blocks.clear();
  network.levels.push_back(std::move(level));
  if (spec.final_norm) network.norm = NormSpec{"norm", spec.width, spec.norm_eps};
  network.pooling = spec.pooling;
  const int64_t pooled = network.pooled();
  if (spec.fc_norm) network.fc_norm = NormSpec{"fc_norm", pooled, spec.norm_eps};
  if (spec.pre_logits) network.pre_logits = LinearSpec{"pre_logits.fc", pooled, spec.pre_logits};
  if (spec.projection)
    network.projection = LinearSpec{
        .name = "projection", .in = network.features(), .out = spec.projection, .bias = false};
  if (spec.classes) network.head = LinearSpec{"head", network.features(), spec.classes};
  if (spec.distillation) network.distilled_head = LinearSpec{"head_dist", pooled, spec.classes};
  return network;
}

}  // namespace shiftadd
