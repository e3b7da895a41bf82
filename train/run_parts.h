// What a run trains, on which data, and by which rule its weights follow.
#pragma once

#include <memory>
#include <string>

#include "layers/model.h"
#include "train/config.h"
#include "train/ema.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/reporter.h"
#include "train/run_data.h"

namespace shiftadd::train {

struct RunParts {
  /// Opens the data and makes the network of `config`, whose weights a checkpoint brings where
  /// `resume` names one. Tells the reporter what it has found. Throws Error (user) for what does
  /// not fit together, and where there is too little memory.
  RunParts(const TrainConfig& config, const std::string& resume, Reporter& reporter);

  RunData data;
  std::unique_ptr<layers::Model> model, teacher;  // teacher: null where there is none
  Optimizer optimizer;
  std::unique_ptr<Ema> ema;  // null: none
};

/// Optimizer steps of an epoch of so many batches. Throws Error (user) where there is none.
int64_t steps_per_epoch(const TrainConfig& config, int64_t batches, int64_t images);

}  // namespace shiftadd::train
