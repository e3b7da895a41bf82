// Composes the lines that name a run's folder, data, network and training.
#include "train/run_header.h"

#include "core/parallel.h"
#include "train/training_step.h"

namespace shiftadd::train {

std::string folder_line(const TrainConfig& config) {
  const int threads = num_threads();
  return concat("run ", config.name, ": folder ", config.out, "; log in metrics.csv, metrics.jsonl",
                config.log.tensorboard ? ", TensorBoard events" : "", " and manifest.json; ",
                threads, threads == 1 ? " thread, " : " threads, ", kernels_of(config.train));
}

std::string data_line(const TrainConfig& config, const RunData& data) {
  return concat("data: ", data.train.size(), " training and ", data.val.size(),
                " validation images of ", data.train.classes().size(), " classes, from ",
                config.data.train,
                config.data.val.empty() ? " (split)" : " and " + config.data.val);
}

std::string network_line(const ModelSpec& spec) {
  return concat("network: ", spec.name, ", images of ", grid_text(spec.image_size),
                spec.in_channels == 1 ? " gray" : "", " pixels in patches of ", spec.patch_size,
                ", width ", spec.width, ", depth ", spec.depth, ", ", spec.heads,
                spec.heads == 1 ? " head" : " heads", spec.converted() ? ", converted" : "", "; ",
                count_parameters(spec), " parameters");
}

std::string training_line(const TrainConfig& config, int64_t images) {
  const LoopConfig& loop = config.train;
  const bool adam = loop.optimizer.kind == OptimizerConfig::Kind::kAdamW;
  return concat("training: ", loop.epochs, loop.epochs == 1 ? " epoch of " : " epochs of ",
                images / loop.batch / loop.accumulate, " steps, ", loop.batch * loop.accumulate,
                " images each, ", adam ? "adamw" : "sgd", ", highest rate ", loop.optimizer.lr,
                loop.ema_decay > 0 ? concat(", EMA ", loop.ema_decay) : "");
}

}  // namespace shiftadd::train
