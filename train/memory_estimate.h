// What a training run will hold in memory, reckoned from its sizes before anything is allocated.
#pragma once

#include <vector>

#include "core/memory_limit.h"
#include "train/config.h"

namespace shiftadd::train {

/// Weights, gradients, the optimizer's moments and averages; what a step keeps for its backward
/// pass; the batches held ready. `batches`: of an epoch, of which no more are held. A little low:
/// what a step needs for a moment is left out, as are teachers and caches.
std::vector<MemoryUse> training_memory(const TrainConfig& config, const ModelSpec& spec,
                                       int64_t batches);
/// Throws what require_memory does; `images` are those of the training set.
void require_training_memory(const TrainConfig& config, const ModelSpec& spec, int64_t images);

}  // namespace shiftadd::train
