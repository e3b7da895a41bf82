// Opens a model file, or makes random weights for an architecture.
#include "tools/bench/network.h"

#include <cmath>
#include <cstdint>
#include <filesystem>

#include "core/error.h"
#include "core/memory_limit.h"
#include "core/random.h"

namespace shiftadd::tools {
namespace {

bool is_model_file(const std::string& name) {
  return std::filesystem::is_regular_file(name) && !name.ends_with(".json");
}

}  // namespace

ModelSpec open_spec(const std::string& name) {
  return is_model_file(name) ? load_model(name).spec : load_spec(name);
}

ModelFile open_or_make(const std::string& name) {
  const bool file = is_model_file(name);
  if (!file && name.ends_with(".safetensors")) throw user_error(name, ": no such file");
  if (file) return load_any_model(name);
  const ModelSpec spec = load_spec(name);
  double values = 0;
  for (const Parameter& info : parameters_of(spec)) {
    double size = 1;
    for (const int64_t each : info.shape) size *= static_cast<double>(each);
    values += size;
  }
  require_memory(
      "the network '" + spec.name + "'",
      {{"weights", values * sizeof(float), "its width, depth, mlp_hidden or image_size"}});
  return random_model(spec);
}

ModelFile random_model(const ModelSpec& spec) {
  ModelFile model;
  model.spec = spec;
  uint64_t stream = 0;
  for (const Parameter& info : parameters_of(spec)) {
    Tensor value(info.shape);
    const RandomStream random(0, stream++);
    const bool norm = info.role == Role::kNorm;
    const double inputs = static_cast<double>(value.numel()) / static_cast<double>(info.shape[0]);
    for (int64_t i = 0; i < value.numel(); ++i)  // uniform with variance 1 / inputs
      value.data<float>()[i] =
          norm ? 1.0f : static_cast<float>((random.uniform(i) - 0.5) * std::sqrt(12 / inputs));
    model.weights.emplace_back(info.name, value);
  }
  return model;
}

}  // namespace shiftadd::tools
