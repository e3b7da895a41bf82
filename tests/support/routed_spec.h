// Networks with routers: a tiny one, and DeiT-T as it is deployed.
#pragma once

#include "model/model_spec.h"

namespace shiftadd::test {

/// 2 blocks of width 12, 3 heads and 17 hidden; 5 tokens. `options.blocks` is not used.
inline ModelSpec routed(const ShiftAddSpec& options = {}) {
  ModelSpec spec{.name = "tiny",
                 .image_size = 8,
                 .patch_size = 4,
                 .width = 12,
                 .depth = 2,
                 .heads = 3,
                 .mlp_hidden = 17,
                 .classes = 3,
                 .shift_add = options};
  spec.shift_add.blocks.assign(
      2, {.qkv = LayerKind::kMixture, .proj = LayerKind::kMixture, .mlp = LayerKind::kMixture});
  return spec;
}

/// DeiT-T with attention on codes, Shift layers and routed MLPs in every block.
inline ModelSpec converted_deit() {
  ModelSpec spec = named_spec("deit_tiny_patch16_224");
  spec.shift_add.int8_activations = true;
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth),
                               {.attention = AttentionKind::kLinearAdd,
                                .qkv = LayerKind::kShift,
                                .proj = LayerKind::kShift,
                                .mlp = LayerKind::kMixture});
  return spec;
}

}  // namespace shiftadd::test
