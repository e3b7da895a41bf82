// Sets the share of tokens that each router sends to Shift, once, after a stage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layers/model.h"
#include "train/image_source.h"

namespace shiftadd::train {

struct CalibratedShare {
  std::string name;              // as in router_names
  double before = 0, after = 0;  // share of tokens on Shift in evaluation, on the images given
  double moved = 0;              // what was added to the Shift logit's bias
};

/// Moves each router's bias of the Shift logit so that in evaluation the share of tokens on Shift,
/// over `batches` batches of training images, is as near to `target` as the tokens allow; equal
/// tokens stay together. In forward order, because a router's choice changes what later ones see:
/// `before` is the share met on the way, with all earlier routers already set. A block runs once
/// for each of its routers and once more. Holds (batches * B, N, C) float32 activations twice.
/// Deterministic. Throws Error (user) unless 0 < target < 1 and batches >= 1, and where a router's
/// logits are not finite.
std::vector<CalibratedShare> calibrate_shares(layers::Model& model, const NextImages& next_images,
                                              int64_t batches, double target);

/// The number d to add to differences (Shift logit - Mult logit), so that as near as possible to
/// target * n of them are > 0 after it; halfway between neighbours, so that no rounding moves a
/// token across. n >= 1.
double bias_for_share(std::vector<float> differences, double target);

/// "blocks.0.mlp: 71.3 % -> 60.0 % of tokens on Shift".
std::string to_text(const CalibratedShare& share);

}  // namespace shiftadd::train
