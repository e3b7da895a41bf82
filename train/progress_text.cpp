// See progress_text.h.
#include "train/progress_text.h"

#include <cstdio>

#include "core/error.h"
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

std::string epoch_text(const EpochRecord& record, int64_t epochs, int64_t broken) {
  char part[200];
  std::snprintf(part, sizeof part, "epoch %lld/%lld: train loss %.4f, %.0f img/s, %s",
                static_cast<long long>(record.epoch), static_cast<long long>(epochs),
                record.train_loss, record.images_per_second, duration_text(record.seconds).c_str());
  std::string text = part;
  if (record.validation) {
    const Evaluation& answers = record.validation->answers;
    std::snprintf(part, sizeof part, ", val loss %.4f, top-1 %.2f %%, top-5 %.2f %%",
                  answers.loss(), answers.top1(), answers.top5());
    text += part;
    if (!record.validation->shift_shares.empty()) {
      std::snprintf(part, sizeof part, ", %.1f %% of tokens shifted",
                    100 * record.validation->shift_share());
      text += part;
    }
  }
  if (broken > 0)
    text += concat(", ", broken, broken == 1 ? " broken image" : " broken images", " left out");
  return text;
}

}  // namespace shiftadd::train
