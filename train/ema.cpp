// Averages parameters through the kernel table.
#include "train/ema.h"

#include <algorithm>

#include "core/kernels.h"

namespace shiftadd::train {

Ema::Ema(const NamedParameters& parameters, double decay) : decay_(decay) {
  for (const auto& [name, parameter] : parameters) {
    if (!parameter.requires_grad()) continue;
    parameters_.emplace_back(name, parameter);
    averages_.push_back(parameter.value().clone());
  }
}

void Ema::restart() {
  for (std::size_t i = 0; i < averages_.size(); ++i)
    averages_[i].copy_from(parameters_[i].second.value());
}

void Ema::update() {
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    float* average = averages_[i].data<float>();
    const Tensor& weight = parameters_[i].second.value();
    kernels<float>().scale({.n = weight.numel(), .alpha = decay_, .x = average, .y = average});
    kernels<float>().scale({.n = weight.numel(),
                            .alpha = 1 - decay_,
                            .x = weight.data<float>(),
                            .y = average,
                            .accumulate = true});
  }
}

void Ema::swap() {
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const Tensor weight = parameters_[i].second.value();
    parameters_[i].second.set_value(averages_[i]);
    averages_[i] = weight;
  }
}

NamedTensors Ema::state() const {
  NamedTensors state;
  for (std::size_t i = 0; i < averages_.size(); ++i)
    state.emplace_back(parameters_[i].first, averages_[i]);
  return state;
}

void Ema::load_state(const NamedTensors& saved) {
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const std::string& name = parameters_[i].first;
    const auto found = std::find_if(saved.begin(), saved.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    if (found == saved.end() || found->second.shape() != averages_[i].shape())
      throw user_error("[ema] the saved averages have no '", name, "' of shape ",
                       averages_[i].shape());
    averages_[i].copy_from(found->second);
  }
}

}  // namespace shiftadd::train
