// The stages of a configuration, one run after the other, and their report.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace shiftadd::train {

struct StagesResult {
  bool stopped = false;  // by `stop`: resume goes on where it was
  std::string unsaved;   // the stage that was stopped before its first step, and begins anew
  std::string report;    // Markdown (compare_results): the start, then every stage
  std::string model;     // of the last stage
};

/// The networks of config.stages, in order; everything that can be known before the first step is
/// checked: recipes, frozen parts, teachers, latency files. Throws Error (user) "stage NAME: ...".
std::vector<ModelSpec> plan_stages(const TrainConfig& config,
                                   const std::vector<std::string>& classes);

/// Runs config.stages (not empty), each into its own folder; where a stage is finished it is left
/// alone. `resume`: go on with the stage at work instead of refusing its folder. options.resume is
/// not used. Throws what train() throws.
StagesResult train_stages(const TrainConfig& config, const TrainOptions& options,
                          Reporter& reporter, bool resume, const std::atomic<bool>& stop);

}  // namespace shiftadd::train
