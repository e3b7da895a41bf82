// AdamW and SGD with momentum over named parameters.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "model/network.h"
#include "train/config.h"

namespace shiftadd::train {

using NamedParameters = std::vector<std::pair<std::string, autograd::Variable>>;

/// Whether weight decay applies: not to vectors (biases, norms), position embeddings and class
/// tokens.
bool decays(const Parameter& parameter);

class Optimizer {
 public:
  /// Updates those of `variables`, the network's parameters, that require a gradient. float32 only.
  /// A parameter's rate is lr * layer_decay^(depth of the head's - its own), Parameter::depth
  /// (BEiT, Bao et al. 2021).
  Optimizer(const OptimizerConfig& config, const NamedParameters& variables,
            const std::vector<Parameter>& parameters);

  /// L2 norm over all gradients together, summed in double in a fixed order. Parameters without a
  /// gradient count as zero.
  double gradient_norm() const;
  /// One update with base rate `lr`; gradients are multiplied by gradient_scale first (clipping). A
  /// parameter without a gradient is left as it is.
  void step(double lr, double gradient_scale = 1);
  void zero_grad();

  int64_t steps() const { return steps_; }
  const NamedParameters& parameters() const { return parameters_; }
  double lr_scale(std::size_t parameter) const { return slots_[parameter].lr_scale; }
  double weight_decay(std::size_t parameter) const { return slots_[parameter].weight_decay; }

  /// "optimizer.m.NAME" and "optimizer.v.NAME", or "optimizer.buffer.NAME": the memory itself, not
  /// a copy.
  NamedTensors state() const;
  /// Copies a saved state in. Throws Error (user) naming a tensor that is missing or has another
  /// shape.
  void load_state(const NamedTensors& state, int64_t steps);

 private:
  struct Slot {
    double lr_scale, weight_decay;
    Tensor first, second;  // m and v; or the momentum buffer and nothing
  };
  OptimizerConfig config_;
  NamedParameters parameters_;
  std::vector<Slot> slots_;
  int64_t steps_ = 0;
};

/// The factor that brings a gradient of this norm down to max_norm; 1 where max_norm is 0 (off). As
/// torch's clip_grad_norm_: max_norm / (norm + 1e-6), at most 1.
double clip_factor(double norm, double max_norm);

}  // namespace shiftadd::train
