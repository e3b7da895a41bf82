// The network of a description, trainable.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/module.h"
#include "model/network.h"

namespace shiftadd::layers {

class LayerNorm;
class Linear;

struct ModelOptions {
  double drop_path = 0;            // rate of the last block; earlier ones scale linearly from 0
  double dropout = 0;              // after positions, attention projection and MLP layers
  bool checkpoint_blocks = false;  // recompute blocks in backward instead of keeping activations
};

class Model : public Module {
 public:
  /// Parameters as timm initialises them: truncated normal 0.02 for linears, positions and class
  /// token, zero biases, unit norms; convolutions as torch's default. Deterministic in seed.
  Model(const ModelSpec& spec, const ModelOptions& options, uint64_t seed);
  Model(const Network& network, const ModelOptions& options, uint64_t seed);
  ~Model() override;

  /// images (B, channels, H, W) -> logits (B, classes), or without a head what one would read.
  Variable forward(const Variable& images, const Context& context) const;
  /// The parts of forward, for those who work block by block: images -> tokens (B, N, C) of the
  /// first level.
  Variable embed(const Variable& images, const Context& context) const;
  /// tokens (B, N, C) -> those after block i and, where it is the last of its level, after the next
  /// level's embedding; of the last block the first `answers` alone where nothing asks for the
  /// others.
  Variable run_block(int64_t i, const Variable& tokens, const Context& context) const;
  /// The attention of block i alone: normed (B, N, C), what its norm1 gave -> (B, queries, C), what
  /// it adds to the first `queries` tokens; autograd::kAllQueries: all. No dropout, no drop path.
  Variable attend(int64_t i, const Variable& normed, int64_t queries, const Context& context) const;
  /// Of how many tokens, the first ones, block i's attention and MLP are ever read.
  int64_t answers(int64_t i) const;

  const Network& network() const { return network_; }
  /// What the network was resolved from. Throws Error (failure) where it was made without one.
  const ModelSpec& spec() const;

 private:
  class Level;
  std::size_t level_of(int64_t block) const;
  Variable pooled(const Variable& tokens) const;

  Network network_;
  std::optional<ModelSpec> spec_;
  ModelOptions options_;
  std::vector<Level*> levels_;
  LayerNorm *norm_ = nullptr, *fc_norm_ = nullptr;  // behind the levels and the pooling, or null
  Linear *pre_logits_ = nullptr, *projection_ = nullptr, *head_ = nullptr;  // or null
  Linear* distilled_head_ = nullptr;                                        // or null
};

/// A table: name, shape, parameters and MACs of each layer; totals last.
std::string summary(const Network& network);

/// Adapts weights of `from` to `to` where only classes or image size differ: heads of small random
/// weights and zero biases for another number of classes, none being one too, and positions
/// interpolated as `to` says for another grid. Returns what was changed, for the log. Throws Error
/// naming the keys when anything else differs.
std::vector<std::string> adapt_weights(const ModelSpec& from, const ModelSpec& to, uint64_t seed,
                                       NamedTensors& weights);

/// The heads of a network of other classes: row i is row rows[i] of those in `weights`, which are
/// of `from`, or new as in adapt_weights where that is -1, as all must be where `from` has no head.
void select_head(const ModelSpec& from, const std::vector<int64_t>& rows, uint64_t seed,
                 NamedTensors& weights);

}  // namespace shiftadd::layers
