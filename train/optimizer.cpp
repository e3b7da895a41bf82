// Groups parameters, measures the gradient, and updates through the kernel table.
#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/kernels.h"
#include "core/parallel.h"

namespace shiftadd::train {

namespace {

double sum_of_squares(const Tensor& x) {
  constexpr int64_t kGrain = 1 << 16;  // fixed, so that the order of the sum is
  std::vector<double> partial((x.numel() + kGrain - 1) / kGrain);
  const float* values = x.data<float>();
  parallel_chunks(x.numel(), kGrain, [&](int64_t begin, int64_t end) {
    double lanes[8] = {};  // independent sums: the compiler may use vectors without reordering
    int64_t i = begin;
    for (; i + 8 <= end; i += 8)
      for (int lane = 0; lane < 8; ++lane) {
        const double value = values[i + lane];
        lanes[lane] += value * value;
      }
    for (; i < end; ++i) lanes[0] += static_cast<double>(values[i]) * values[i];
    double sum = 0;
    for (const double lane : lanes) sum += lane;
    partial[begin / kGrain] = sum;
  });
  double sum = 0;
  for (const double value : partial) sum += value;
  return sum;
}

}  // namespace

bool decays(const Parameter& parameter) {
  return parameter.shape.size() > 1 && parameter.role != Role::kPositions &&
         parameter.role != Role::kToken;
}

Optimizer::Optimizer(const OptimizerConfig& config, const NamedParameters& variables,
                     const std::vector<Parameter>& parameters)
    : config_(config) {
  const bool adam = config.kind == OptimizerConfig::Kind::kAdamW;
  std::map<std::string, const Parameter*> by_name;
  int64_t deepest = 0;
  for (const Parameter& each : parameters) {
    by_name[each.name] = &each;
    deepest = std::max(deepest, each.depth);
  }
  for (const auto& [name, variable] : variables) {
    if (!variable.requires_grad()) continue;
    if (variable.dtype() != DType::kF32)
      throw user_error("[optimizer] ", name, " is ", variable.dtype(), ": expected f32");
    const Parameter& parameter = *by_name.at(name);
    const double layers_above = static_cast<double>(deepest - parameter.depth);
    parameters_.emplace_back(name, variable);
    slots_.push_back({.lr_scale = std::pow(config.layer_decay, layers_above),
                      .weight_decay = decays(parameter) ? config.weight_decay : 0,
                      .first = Tensor::zeros(variable.shape()),
                      .second = adam ? Tensor::zeros(variable.shape()) : Tensor()});
  }
}

double Optimizer::gradient_norm() const {
  double sum = 0;
  for (const auto& [name, parameter] : parameters_)
    if (parameter.grad().defined()) sum += sum_of_squares(parameter.grad());
  return std::sqrt(sum);
}

void Optimizer::step(double lr, double gradient_scale) {
  ++steps_;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Tensor& gradient = parameters_[i].second.grad();
    if (!gradient.defined()) continue;
    const Slot& slot = slots_[i];
    float* parameter = parameters_[i].second.value().data<float>();
    if (config_.kind == OptimizerConfig::Kind::kAdamW) {
      kernels<float>().adamw({.n = gradient.numel(),
                              .lr = lr * slot.lr_scale,
                              .beta1 = config_.beta1,
                              .beta2 = config_.beta2,
                              .eps = config_.eps,
                              .weight_decay = slot.weight_decay,
                              .gradient_scale = gradient_scale,
                              .step = steps_,
                              .gradient = gradient.data<float>(),
                              .parameter = parameter,
                              .m = slot.first.data<float>(),
                              .v = slot.second.data<float>()});
    } else {
      kernels<float>().sgd({.n = gradient.numel(),
                            .lr = lr * slot.lr_scale,
                            .momentum = config_.momentum,
                            .weight_decay = slot.weight_decay,
                            .gradient_scale = gradient_scale,
                            .nesterov = config_.nesterov,
                            .gradient = gradient.data<float>(),
                            .parameter = parameter,
                            .buffer = slot.first.data<float>()});
    }
  }
}

void Optimizer::zero_grad() {
  for (auto& [name, parameter] : parameters_) parameter.zero_grad();
}

NamedTensors Optimizer::state() const {
  const bool adam = config_.kind == OptimizerConfig::Kind::kAdamW;
  NamedTensors state;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::string& name = parameters_[i].first;
    state.emplace_back((adam ? "optimizer.m." : "optimizer.buffer.") + name, slots_[i].first);
    if (adam) state.emplace_back("optimizer.v." + name, slots_[i].second);
  }
  return state;
}

void Optimizer::load_state(const NamedTensors& saved, int64_t steps) {
  for (const auto& [name, tensor] : state()) {
    const auto found =
        std::find_if(saved.begin(), saved.end(),
                     [&, &name = name](const auto& entry) { return entry.first == name; });
    if (found == saved.end())
      throw user_error("[optimizer] the saved state has no '", name,
                       "': it belongs to another run");
    if (found->second.shape() != tensor.shape())
      throw user_error("[optimizer] '", name, "' is saved as ", found->second.shape(),
                       ": expected ", tensor.shape());
    tensor.copy_from(found->second);
  }
  steps_ = steps;
}

double clip_factor(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace shiftadd::train
