// Adds up what the parameters, the activations of a batch and the waiting batches will hold.
#include "train/memory_estimate.h"

#include <algorithm>

#include "core/error.h"
#include "train/optimizer.h"

namespace shiftadd::train {
namespace {

constexpr double kFloat = sizeof(float);

double values_of(const Shape& shape) {
  double values = 1;
  for (const int64_t size : shape) values *= static_cast<double>(size);
  return values;
}

bool is_frozen(const TrainConfig& config, const std::string& name) {
  return std::any_of(config.train.freeze.begin(), config.train.freeze.end(),
                     [&](const std::string& pattern) { return matches_pattern(pattern, name); });
}

struct Parameters {
  double all = 0, trained = 0;   // values
  std::vector<bool> blocks;      // which of them learn anything
  bool embedding = false;        // whether positions, patches or class token do
  int64_t first_block() const {  // the lowest whose activations are kept
    if (embedding) return 0;
    return std::find(blocks.begin(), blocks.end(), true) - blocks.begin();
  }
};

Parameters count(const TrainConfig& config, const ModelSpec& spec) {
  Parameters result;
  result.blocks.assign(static_cast<std::size_t>(spec.depth), false);
  for (const Parameter& parameter : parameters_of(spec)) {
    const double values = values_of(parameter.shape);
    result.all += values;
    if (is_frozen(config, parameter.name)) continue;
    result.trained += values;
    if (parameter.depth == 0) result.embedding = true;
    if (parameter.id.block != LayerId::kOutside)
      result.blocks[static_cast<std::size_t>(parameter.id.block)] = true;
  }
  return result;
}

// Returns how many values the blocks hold of one image at the worst moment. A block keeps the
// outputs of its norms, qkv, attention and both residual sums, and what goes into the second layer
// of its MLP; the last one answers for the class token alone, and is done with when the backward
// pass of the one before it needs most.
double kept_of_image(const TrainConfig& config, const ModelSpec& spec,
                     const Parameters& parameters) {
  // GELU is computed again; what another activation makes is kept beside what it was made of.
  const bool gelu = spec.activation == HiddenActivation::kGelu;
  const auto tokens = static_cast<double>(spec.tokens()), width = static_cast<double>(spec.width),
             hidden =
                 static_cast<double>(spec.mlp_hidden * (gelu ? 1 : 1 + inputs_of(spec.activation)));
  const double learning = tokens * (8 * width + hidden), passing = tokens * (4 * width + hidden);
  const bool again = config.regularisation.checkpoint_blocks;  // only inputs are kept
  const int64_t first = parameters.first_block();
  double kept = 0, largest = 0;
  for (int64_t i = first; i + 1 < spec.depth; ++i) {
    const double block = parameters.blocks[static_cast<std::size_t>(i)] ? learning : passing;
    kept += again ? tokens * width : block;
    largest = std::max(largest, 2 * tokens * hidden + (again ? block : 0));
  }
  const double last = first < spec.depth ? 4 * tokens * width : 0;
  return kept + std::max(largest, last);
}

}  // namespace

std::vector<MemoryUse> training_memory(const TrainConfig& config, const ModelSpec& spec,
                                       int64_t batches) {
  const Parameters parameters = count(config, spec);
  const bool adam = config.train.optimizer.kind == OptimizerConfig::Kind::kAdamW;
  const double states = 1 + (adam ? 2 : 1) + (config.train.ema_decay > 0 ? 1 : 0);
  const auto batch = static_cast<double>(config.train.batch);
  const double image = static_cast<double>(spec.image_values() + spec.classes);
  const int64_t ahead = config.data.workers > 0 ? config.data.prefetch : 1;
  const std::string sizes =
      "model.width, model.depth, model.mlp_hidden, model.image_size (or "
      "raise model.patch_size)";
  return {{"weights, gradients and optimizer",
           kFloat * (parameters.all + states * parameters.trained), sizes},
          {concat("activations of a batch of ", config.train.batch),
           kFloat * batch * kept_of_image(config, spec, parameters),
           "train.batch, " + sizes +
               (config.regularisation.checkpoint_blocks ? "" : ", or set model.checkpoint_blocks")},
          {"batches held ready",
           kFloat * batch * image * static_cast<double>(std::clamp<int64_t>(batches, 1, ahead)),
           "data.prefetch, train.batch, model.image_size"}};
}

void require_training_memory(const TrainConfig& config, const ModelSpec& spec, int64_t images) {
  require_memory("[train] this training",
                 training_memory(config, spec, images / std::max<int64_t>(config.train.batch, 1)));
}

}  // namespace shiftadd::train
