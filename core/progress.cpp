// See progress.h.
#include "core/progress.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

namespace shiftadd {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

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

std::string bar_text(int64_t done, int64_t total) {
  constexpr int64_t kWidth = 20;
  const int64_t filled = total > 0 ? std::min(kWidth, kWidth * done / total) : kWidth;
  return "[" + std::string(filled, '=') + (filled < kWidth ? ">" : "") +
         std::string(std::max<int64_t>(kWidth - filled - 1, 0), ' ') + "]";
}

Progress::Progress(Sink sink, bool terminal) : sink_(std::move(sink)), terminal_(terminal) {}

void Progress::draw(const std::string& text, double now, bool last) {
  if (!terminal_ || (now - drawn_at_ < 0.1 && !last)) return;
  drawn_at_ = now;
  bar_shown_ = true;
  sink_("\r" + text + "\033[K");  // erase to the end of the line
}

void Progress::line(const std::string& text) {
  wipe();
  sink_(text + "\n");
}

void Progress::wipe() {
  if (bar_shown_) sink_("\r\033[K");
  bar_shown_ = false;
}

}  // namespace shiftadd
