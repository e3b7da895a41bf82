// How long a training step takes.
#pragma once

#include <cstdint>
#include <vector>

#include "model/model_spec.h"
#include "train/config.h"

namespace shiftadd::train {

struct TrainStepTiming {
  std::vector<double> seconds;  // one per step, in order; the first one also warms the arena up
};

/// Times `steps` full steps (forward, backward, AdamW) of a new network on `batch` random images,
/// with the threads that are set. Throws Error (user) for batch or steps below 1 and for
/// an impossible spec.
TrainStepTiming time_training_steps(const ModelSpec& spec, int64_t batch, int steps,
                                    Precision precision = Precision::kFloat32);

}  // namespace shiftadd::train
