// A training run from configuration to model file.
#pragma once

#include <atomic>
#include <string>

#include "train/checkpoint.h"
#include "train/config.h"
#include "train/reporter.h"

namespace shiftadd::train {

struct TrainOptions {
  std::string version;   // of the program, for the manifest
  std::string resume;    // a checkpoint to go on from; "": from the start
  bool anomaly = false;  // check every op for NaN and infinity
};

struct TrainResult {
  bool stopped = false;  // by `stop`; `last` then holds everything, or is empty: nothing to save
  TrainingState state;
  int64_t validation_images = 0;
  std::string last, best,
      model;  // paths; model: empty when stopped, best: empty without an evaluation
};

/// Trains into the folder config.out: model.safetensors (the final weights, what shiftadd-infer
/// runs), last, best and epoch_NNN checkpoints, metrics.csv, metrics.jsonl, per_class.csv,
/// TensorBoard events, manifest.json,
/// result.json (run_result.h: the final weights). `last` is written after each epoch, every five
/// minutes, and when `stop` becomes true (after the step at work). Final weights depend on
/// configuration and data alone: not on threads, nor on where the run was interrupted. Throws Error
/// (user): bad data, an occupied folder (another run at work, or a finished one and no resume), a
/// checkpoint of another run. Throws Error (failure): a loss that is not finite, a full disk.
TrainResult train(const TrainConfig& config, const TrainOptions& options, Reporter& reporter,
                  const std::atomic<bool>& stop);

}  // namespace shiftadd::train
