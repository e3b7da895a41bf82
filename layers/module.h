// Module: owns named parameters and child modules.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/mixture.h"
#include "autograd/variable.h"

namespace shiftadd::layers {

using autograd::Variable;

/// What one attention saw and gave, for those who replace it.
struct AttentionTrace {
  Tensor input;      // (B, N, C), normalised
  Tensor q, k;       // (B, N, ..) and (B, M, ..): q is in the first C columns, k in those from
  int64_t k_column;  // this one on
  Tensor attended;   // (B, N, C), before proj
  Tensor output;     // (B, N, C), after proj
};

/// What a forward pass needs besides its input. Random draws come from (seed, stream): the trainer
/// sets stream from the step, each layer derives its own from it.
struct Context {
  bool training = false;
  uint64_t seed = 0, stream = 0;
  double router_noise = 0;  // standard deviation of the noise on routers' logits, in training
  double code_slope = 0;    // autograd::smooth_codes, in training; 0: the codes' own windows
  /// Receives what each router decided, in the order of routers_of(network), or null.
  std::vector<autograd::Routing>* routings = nullptr;
  /// Receives a trace of each block's attention, in evaluation, or null.
  std::vector<AttentionTrace>* traces = nullptr;
  /// Receives the tokens after each block, as run_block gives them, or null.
  std::vector<Variable>* tokens = nullptr;
};

class Module {
 public:
  virtual ~Module() = default;
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// All parameters of the subtree in declaration order, own ones before the children's, with the
  /// whole names they were added under ("blocks.0.attn.qkv.weight").
  std::vector<std::pair<std::string, Variable>> named_parameters() const;
  /// Values (shared, not copied) by name.
  NamedTensors state_dict() const;
  /// Copies values in. Throws Error listing missing, unexpected and misshapen names.
  void load_state_dict(const NamedTensors& state);
  int64_t parameter_count() const;

 protected:
  Variable add_parameter(std::string name, Tensor value);  // requires_grad
  template <class M>
  M* add_module(std::unique_ptr<M> child) {
    M* raw = child.get();
    children_.push_back(std::move(child));
    return raw;
  }

 private:
  std::vector<std::pair<std::string, Variable>> parameters_;
  std::vector<std::unique_ptr<Module>> children_;
};

}  // namespace shiftadd::layers
