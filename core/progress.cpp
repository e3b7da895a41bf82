// Writes durations and bars as text, fits them into the terminal's width, and redraws the line.
#include "core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/unicode.h"

namespace shiftadd {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string duration_text(double seconds) {
  constexpr double kLongest = 1000 * 86400.0;  // beyond it, nothing is known yet
  if (!(seconds < kLongest)) return "?";
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

std::string bar_text(int64_t done, int64_t total, int64_t width) {
  const int64_t filled = total > 0 ? std::min(width, width * done / total) : width;
  return "[" + std::string(filled, '=') + (filled < width ? ">" : "") +
         std::string(std::max<int64_t>(width - filled - 1, 0), ' ') + "]";
}

bool stderr_is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && !(kind && std::string_view(kind) == "dumb");
}

int64_t terminal_columns() {
  constexpr int64_t kUsual = 80;
  struct winsize size = {};
  const int64_t shown = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
  const char* text = std::getenv("COLUMNS");
  const int64_t wanted = text ? std::strtol(text, nullptr, 10) : 0;
  if (shown > 0 && wanted > 0) return std::min(shown, wanted);
  return shown > 0 ? shown : wanted > 0 ? wanted : kUsual;
}

std::string progress_line(ProgressBar bar, int64_t columns) {
  const auto keep_on_line = [](std::string& text) {
    for (char& c : text)
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  };
  keep_on_line(bar.title);
  for (std::string& figure : bar.figures) keep_on_line(figure);
  constexpr int64_t kWidest = 20, kNarrowest = 6;          // between the brackets
  const int64_t room = std::max<int64_t>(columns - 1, 1);  // a full line would already wrap on some
  for (std::size_t count = bar.figures.size() + 1; count-- > 0;) {
    if (count == 0 && !bar.figures.empty()) break;  // figures say more than the bar
    std::string figures;
    for (std::size_t i = 0; i < count; ++i) figures += " " + bar.figures[i];
    const int64_t left = room - columns_of(bar.title) - columns_of(figures) - 3;
    if (left >= kNarrowest)
      return bar.title + " " + bar_text(bar.done, bar.total, std::min(left, kWidest)) + figures;
  }
  const std::string text = bar.figures.empty() ? bar.title : bar.title + " " + bar.figures.front();
  return std::string(first_columns(text, room));
}

Progress::Progress(Sink sink, bool terminal, std::function<int64_t()> columns)
    : sink_(std::move(sink)), terminal_(terminal), columns_(std::move(columns)) {}

Progress::~Progress() { wipe(); }

void Progress::draw(const ProgressBar& bar, double now, bool last) {
  if (!terminal_ || (now - drawn_at_ < 0.1 && !last)) return;
  drawn_at_ = now;
  bar_shown_ = true;
  sink_("\r" + progress_line(bar, columns_()) + "\033[K");  // erase to the end of the line
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
