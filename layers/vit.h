// The vision transformer of a ModelSpec, trainable.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/model/model_spec.h"
#include "layers/module.h"

namespace shiftadd::layers {

struct VitOptions {
  double drop_path = 0;            // rate of the last block; earlier ones scale linearly from 0
  double dropout = 0;              // after positions, attention projection and MLP layers
  bool checkpoint_blocks = false;  // recompute blocks in backward instead of keeping activations
};

class Vit : public Module {
 public:
  /// Parameters as timm initialises them: truncated normal 0.02 for linears, positions and class
  /// token, zero biases, unit norms; the patch embedding as torch's conv default. Deterministic in
  /// seed.
  Vit(const ModelSpec& spec, const VitOptions& options, uint64_t seed);
  ~Vit() override;

  /// images (B, in_channels, S, S) -> logits (B, classes).
  Variable forward(const Variable& images, const Context& context) const;
  const ModelSpec& spec() const { return spec_; }

 private:
  ModelSpec spec_;
  VitOptions options_;
  struct Layers;
  std::unique_ptr<Layers> layers_;
};

/// A table: name, shape, parameters and MACs of each layer; totals last.
std::string summary(const Vit& model);

/// Adapts weights of `from` to `to` where only classes or image size differ: a new zero-initialised
/// bias and small random head for another number of classes, positions interpolated (bicubic,
/// antialias off, align_corners = false, class token's row kept) for another grid. Returns what was
/// changed, for the log. Throws Error naming both architectures when anything else differs.
std::vector<std::string> adapt_weights(const ModelSpec& from, const ModelSpec& to, uint64_t seed,
                                       std::vector<std::pair<std::string, Tensor>>& weights);

}  // namespace shiftadd::layers
