// Runs the real training step on random data.
#include "train/benchmark.h"

#include <chrono>

#include "core/random.h"
#include "train/memory_estimate.h"
#include "train/training_step.h"

namespace shiftadd::train {

TrainStepTiming time_training_steps(const ModelSpec& spec, int64_t batch, int steps,
                                    Precision precision) {
  validate(spec);
  if (batch < 1 || steps < 1)
    throw user_error("batch is ", batch, " and steps ", steps, ": both must be at least 1");
  TrainConfig config;
  config.train.batch = batch;
  config.train.precision = precision;
  config.data.workers = 0;
  require_memory(concat("training steps of '", spec.name, "' in batches of ", batch),
                 training_memory(config, spec, 1));
  data::Batch data{.images = Tensor(spec.batch_shape(batch)),
                   .targets = Tensor::zeros({batch, spec.classes}),
                   .labels = {},
                   .samples = {}};
  const RandomStream random(0, 0);
  for (int64_t i = 0; i < data.images.numel(); ++i)
    data.images.data<float>()[i] = 2 * random.uniform(static_cast<uint64_t>(i)) - 1;
  for (int64_t row = 0; row < batch; ++row)
    data.targets.data<float>()[row * spec.classes + row % spec.classes] = 1;
  const layers::Model model(spec, {}, 0);
  const LoopConfig& loop = config.train;
  const RouterConfig router;
  Optimizer optimizer(loop.optimizer, model.named_parameters(), parameters_of(spec));
  TrainingStep step(model, nullptr, optimizer, nullptr, loop, router, {}, 0);
  TrainStepTiming timing;
  for (int i = 0; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    step.accumulate(data, static_cast<uint64_t>(i), 0);
    step.update(loop.optimizer.lr);
    timing.seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return timing;
}

}  // namespace shiftadd::train
