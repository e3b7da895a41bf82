// One line that says where a training run stands.
#pragma once

#include <cstdint>
#include <string>

namespace shiftadd::train {

struct TrainingProgress {
  int64_t epoch = 0, epochs = 0;          // the epoch at work, 1-based
  int64_t step = 0, steps_per_epoch = 0;  // steps done in it
  double loss = 0, lr = 0, images_per_second = 0, seconds_left = 0;
};

/// "epoch 3/10 [=====>    ] 45/97 loss 1.234 lr 4.9e-04 812 img/s ETA 1m20s"; "step" where the bar
/// is unwanted.
std::string progress_text(const TrainingProgress& at, bool bar);

}  // namespace shiftadd::train
