// Turns a network into its next stage: what changes is a recipe, what it computed is carried over.
//
// Method: You et al., ShiftAddViT, NeurIPS 2023 (arXiv 2306.06446), section 4; the rescalings that
// make the start close are this project's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/model.h"

namespace shiftadd::layers {

/// What becomes of some blocks; what is not given stays.
struct SurgeryStep {
  int64_t first = 0, last = -1;  // blocks, both inclusive; -1: the network's last
  std::optional<AttentionKind> attention = {};
  std::optional<LayerKind> qkv = {}, proj = {}, mlp = {};
};

/// `from` after the steps, in order; options common to all blocks come from `options` (its blocks
/// are ignored). Throws Error (user) for a block that does not exist, and where carry_weights would
/// find nothing that a layer may start from: a mixture stays one.
ModelSpec apply_recipe(const ModelSpec& from, const ShiftAddSpec& options,
                       const std::vector<SurgeryStep>& steps);

/// The weights of `to`, made from those of `from`: copied where a parameter stays; both experts of
/// a new mixture start from the layer they replace, its router from N(0, 0.02^2) with bias 0; a
/// Shift layer's latent weights are the ones it replaces; a new local convolution is zero, a new
/// temperature one. Throws Error (user) naming both architectures where sizes differ or something
/// converted would be plain again.
NamedTensors carry_weights(const ModelSpec& from, const ModelSpec& to, const NamedTensors& weights,
                           uint64_t seed);
NamedTensors carry_weights(const Network& from, const Network& to, const NamedTensors& weights,
                           uint64_t seed);

/// Scales `weights` of `from`, a network whose attention `to` replaces, so that the new attention
/// starts close: where codes take the place of floats, each head's q and k to an RMS of 0.7 (codes
/// stay, and fill the window of their estimator); where linear-angular attention, whose outputs
/// have norm 1, takes the place of another, proj's columns of a head by that head's mean norm. The
/// way back from linear-angular attention is not scaled. Latent shifts and signs (form ps) are left
/// as they are. Measured on `images` (B, C, S, S).
/// Returns a line for each block.
std::vector<std::string> rescale_attention(const ModelSpec& from, const ModelSpec& to,
                                           const Tensor& images, NamedTensors& weights);
std::vector<std::string> rescale_attention(const Network& from, const Network& to,
                                           const Tensor& images, NamedTensors& weights);

/// One line for each block that changes, one for options that change under layers converted
/// earlier, and the share of multiplications left, with every router's tokens at `shift_share`.
std::vector<std::string> describe_surgery(const ModelSpec& from, const ModelSpec& to,
                                          double shift_share);

}  // namespace shiftadd::layers
