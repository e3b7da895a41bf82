// Converted networks for tests: the golden ones, and random ones of every kind.
#pragma once

#include <string>

#include "core/random.h"
#include "tests/infer/models.h"
#include "tests/support/support.h"

namespace shiftadd::test {

/// vit_micro_shiftadd, or, `full`, vit_micro_shiftadd_full: as deployed.
inline ModelFile golden_shift_add(bool full) {
  ModelFile model;
  model.spec = named_spec("vit_micro");
  model.preprocess.crop = model.spec.image_size;
  model.preprocess.resize = model.spec.image_size.longer();
  BlockKinds block{.attention = AttentionKind::kLinearAdd, .mlp = LayerKind::kMixture};
  ShiftAddSpec& options = model.spec.shift_add;
  if (full) {
    block.qkv = block.proj = LayerKind::kShift;
    options.int8_activations = true;
    options.values = ValueFormat::kInt8;
  } else {
    options.gate = GateKind::kProbability;
  }
  options.blocks.assign(static_cast<std::size_t>(model.spec.depth), block);
  const TensorFile golden = golden_model(full ? "vit_micro_shiftadd_full" : "vit_micro_shiftadd");
  for (const Parameter& each : parameters_of(model.spec))
    model.weights.emplace_back(each.name, golden.at(each.name));
  return model;
}

/// A small network of odd sizes. Options run through all their values with `variant`; each block is
/// drawn.
inline ModelSpec random_shift_add_spec(int variant) {
  const bool wide_heads = variant % 5 == 4;
  ModelSpec spec{.name = "variant " + std::to_string(variant),
                 .image_size = 20,
                 .patch_size = 4,
                 .in_channels = 3,
                 .width = wide_heads ? 64 : 51,
                 .depth = 3,
                 .heads = wide_heads ? 1 : 3,
                 .mlp_hidden = 70,
                 .classes = 5,
                 .norm_eps = 1e-6,
                 .shift_add = {}};
  ShiftAddSpec& options = spec.shift_add;
  options.int8_activations = variant % 2 == 0;
  options.codes = variant / 2 % 2 ? Codes::kUnitHead : Codes::kSign;
  options.values = variant / 4 % 2 ? ValueFormat::kFloat : ValueFormat::kInt8;
  options.gate = static_cast<GateKind>(variant / 8 % 3);
  options.format = variant % 3 ? ShiftFormat::k5Bit : ShiftFormat::k4Bit;
  options.form = variant % 3 == 2 ? ShiftForm::kPs : ShiftForm::kQ;
  options.local = variant / 3 % 2 ? LocalKind::kDepthwise2d : LocalKind::kTokenConv;
  Random random(11, static_cast<uint64_t>(variant));
  for (int64_t i = 0; i < spec.depth; ++i)
    options.blocks.push_back({.attention = static_cast<AttentionKind>(random.below(4)),
                              .qkv = static_cast<LayerKind>(random.below(3)),
                              .proj = static_cast<LayerKind>(random.below(3)),
                              .mlp = static_cast<LayerKind>(random.below(3))});
  return spec;
}

}  // namespace shiftadd::test
