// Resolves the plain vision transformer (ViT, DeiT): timm's names, one level, a class token.
#include "model/network.h"

namespace shiftadd {
namespace {

// softmax_add has signs, whatever linear_add's codes are.
CodeSpec codes_of(const ModelSpec& spec, AttentionKind kind) {
  const Codes codes = kind == AttentionKind::kSoftmaxAdd  ? Codes::kSign
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
  block.prefix = 1;
  block.width = width;
  block.norm1 = {name + ".norm1", width, spec.norm_eps};
  block.norm2 = {name + ".norm2", width, spec.norm_eps};
  block.attention = {.name = attention,
                     .kind = kinds.attention,
                     .heads = spec.heads,
                     .head_dim = spec.head_dim(),
                     .codes = codes_of(spec, kinds.attention),
                     .projection = FusedQkv{{attention + ".qkv", width, 3 * width, kinds.qkv}},
                     .proj = {attention + ".proj", width, width, kinds.proj},
                     .local = std::nullopt};
  if (block.attention.adds()) block.attention.values = spec.shift_add.values;
  if (kinds.is_linear())
    block.attention.local = {attention + ".token_conv", spec.shift_add.local, spec.heads};
  block.mlp = {.name = name + ".mlp",
               .routed = kinds.mlp == LayerKind::kMixture,
               .fc1 = {"fc1", width, spec.mlp_hidden, kinds.mlp},
               .fc2 = {"fc2", spec.mlp_hidden, width, kinds.mlp},
               .depthwise = std::nullopt};
  return block;
}

}  // namespace

Network network_of(const ModelSpec& spec) {
  LevelSpec level;
  level.class_token = "cls_token";
  level.positions = "pos_embed";
  level.patches = {.name = "patch_embed.proj",
                   .in = spec.in_channels,
                   .out = spec.width,
                   .kernel = spec.patch_size,
                   .stride = spec.patch_size};
  level.grid = spec.grid();
  for (int64_t i = 0; i < spec.depth; ++i) level.blocks.push_back(block_of(spec, i));
  Network network;
  network.name = spec.name;
  network.channels = spec.in_channels;
  network.image = spec.image_size;
  network.options = spec.shift_add;
  network.options.blocks.clear();
  network.levels.push_back(std::move(level));
  network.norm = NormSpec{"norm", spec.width, spec.norm_eps};
  network.head = {"head", spec.width, spec.classes, LayerKind::kMultiply};
  return network;
}

}  // namespace shiftadd
