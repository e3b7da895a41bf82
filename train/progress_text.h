// One line that says where a training run stands.
#pragma once

#include <cstdint>
#include <string>

#include "core/progress.h"
#include "train/run_log.h"

namespace shiftadd::train {

struct TrainingProgress {
  int64_t epoch = 0, epochs = 0;          // the epoch at work, 1-based
  int64_t step = 0, steps_per_epoch = 0;  // steps done in it
  double loss = 0, lr = 0, images_per_second = 0, seconds_left = 0;
};

/// "epoch 3/10 step 45/97 loss 1.2340 lr 0.0005 812 img/s ETA 1m20s".
std::string progress_text(const TrainingProgress& at);
/// The same with a bar, the figures that matter most first.
ProgressBar progress_bar(const TrainingProgress& at);

/// "epoch 3/10: train loss 1.2340, 812 img/s, 1m20s, val loss 1.3000, top-1 51.00 %, ..., 2 broken
/// images left out".
std::string epoch_text(const EpochRecord& record, int64_t epochs, int64_t broken);

}  // namespace shiftadd::train
