// Writes the figures of a step or of a finished epoch as text, or as the parts of a bar.
#include "train/progress_text.h"

#include <cstdio>

#include "core/error.h"
#include "core/progress.h"

namespace shiftadd::train {

namespace {

template <class... Values>
std::string formatted(const char* format, Values... values) {
  char text[80];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string title_of(const TrainingProgress& at) {
  return concat("epoch ", at.epoch, "/", at.epochs);
}

// Returns where the run stands in the epoch, then what it learns and how fast.
std::vector<std::string> figures_of(const TrainingProgress& at) {
  return {concat(at.step, "/", at.steps_per_epoch), formatted("loss %.4f", at.loss),
          formatted("lr %.3g", at.lr), formatted("%.0f img/s", at.images_per_second),
          "ETA " + duration_text(at.seconds_left)};
}

}  // namespace

std::string progress_text(const TrainingProgress& at) {
  std::string text = title_of(at) + " step";
  for (const std::string& figure : figures_of(at)) text += " " + figure;
  return text;
}

ProgressBar progress_bar(const TrainingProgress& at) {
  const std::vector<std::string> all = figures_of(at);
  return {title_of(at), at.step, at.steps_per_epoch, {all[0], all[4], all[1], all[3], all[2]}};
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
                    100 * mean_share(record.validation->shift_shares));
      text += part;
    }
  }
  if (broken > 0)
    text += concat(", ", broken, broken == 1 ? " broken image" : " broken images", " left out");
  return text;
}

}  // namespace shiftadd::train
