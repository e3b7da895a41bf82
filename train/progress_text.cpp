// See progress_text.h.
#include "train/progress_text.h"

#include <cstdio>

#include "core/progress.h"

namespace shiftadd::train {

std::string progress_text(const TrainingProgress& at, bool bar) {
  char numbers[160];
  std::snprintf(numbers, sizeof numbers, " %lld/%lld loss %.4f lr %.3g %.0f img/s ETA ",
                static_cast<long long>(at.step), static_cast<long long>(at.steps_per_epoch),
                at.loss, at.lr, at.images_per_second);
  return "epoch " + std::to_string(at.epoch) + "/" + std::to_string(at.epochs) + " " +
         (bar ? bar_text(at.step, at.steps_per_epoch) : "step") + numbers +
         duration_text(at.seconds_left);
}

}  // namespace shiftadd::train
