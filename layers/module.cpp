// Walks through the tree of parameters, and loads values into it.
#include "layers/module.h"

#include <map>

#include "core/names.h"

namespace shiftadd::layers {

std::vector<std::pair<std::string, Variable>> Module::named_parameters() const {
  auto result = parameters_;
  for (const auto& child : children_)
    for (auto& parameter : child->named_parameters()) result.push_back(std::move(parameter));
  return result;
}

NamedTensors Module::state_dict() const {
  NamedTensors state;
  for (const auto& [name, parameter] : named_parameters())
    state.emplace_back(name, parameter.value());
  return state;
}

void Module::load_state_dict(const NamedTensors& state) {
  std::map<std::string, Tensor> given(state.begin(), state.end());
  const auto parameters = named_parameters();
  std::vector<std::string> names;
  for (const auto& [name, parameter] : parameters) names.push_back(name);
  std::string problems;
  for (const auto& [name, parameter] : parameters) {
    const auto found = given.find(name);
    if (found == given.end()) {
      problems += concat("\n  missing: ", name, " ", parameter.shape());
    } else if (found->second.shape() != parameter.shape()) {
      problems += concat("\n  another shape: ", name, " is ", found->second.shape(), ", expected ",
                         parameter.shape());
    }
  }
  for (const auto& [name, tensor] : given) {
    bool known = false;
    for (const std::string& own : names) known = known || own == name;
    if (!known)
      problems += concat("\n  unexpected: ", name, " ", tensor.shape(), did_you_mean(name, names));
  }
  if (given.size() != state.size()) problems += "\n  some names are given twice";
  if (!problems.empty())
    throw user_error("[load_state_dict] the weights do not fit this network; nothing was loaded:",
                     problems);
  for (const auto& [name, parameter] : parameters)
    parameter.value().copy_from(given.at(name).to(parameter.dtype()));
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (const auto& [name, parameter] : named_parameters()) count += parameter.value().numel();
  return count;
}

Variable Module::add_parameter(std::string name, Tensor value) {
  parameters_.emplace_back(std::move(name), Variable(std::move(value), true));
  return parameters_.back().second;
}

}  // namespace shiftadd::layers
