// Formatting only: the program decides where the text goes.
#include "train/progress.h"

#include <algorithm>
#include <cstdio>

namespace shiftadd::train {

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::max(0.0, seconds) + 0.5);
  char text[48];
  if (whole < 60) {
    std::snprintf(text, sizeof text, "%llds", whole);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof text, "%lldm%02llds", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lldh%02lldm", whole / 3600, whole % 3600 / 60);
  }
  return text;
}

std::string progress_text(const ProgressUpdate& update, bool bar) {
  constexpr int64_t kWidth = 20;
  std::string text =
      "epoch " + std::to_string(update.epoch) + "/" + std::to_string(update.epochs) + " ";
  if (bar) {
    const int64_t filled = kWidth * update.step / std::max<int64_t>(update.steps_per_epoch, 1);
    text += "[" + std::string(filled, '=') + (filled < kWidth ? ">" : "") +
            std::string(std::max<int64_t>(kWidth - filled - 1, 0), ' ') + "] ";
  } else {
    text += "step ";
  }
  char numbers[160];
  std::snprintf(numbers, sizeof numbers, "%lld/%lld loss %.4f lr %.3g %.0f img/s ETA ",
                static_cast<long long>(update.step), static_cast<long long>(update.steps_per_epoch),
                update.loss, update.lr, update.images_per_second);
  return text + numbers + duration_text(update.seconds_left);
}

Progress::Progress(Sink sink, bool terminal, int64_t every)
    : sink_(std::move(sink)), terminal_(terminal), every_(std::max<int64_t>(every, 1)) {}

void Progress::update(const ProgressUpdate& update, double now) {
  if (!terminal_) {
    if (update.step % every_ == 0 || update.step == update.steps_per_epoch)
      sink_(progress_text(update, false) + "\n");
    return;
  }
  if (now - drawn_at_ < 0.1 && update.step != update.steps_per_epoch) return;
  drawn_at_ = now;
  bar_shown_ = true;
  sink_("\r" + progress_text(update, true) + "\033[K");  // erase to the end of the line
}

void Progress::line(const std::string& text) {
  sink_((bar_shown_ ? "\r\033[K" : "") + text + "\n");
  bar_shown_ = false;
}

}  // namespace shiftadd::train
