// Draws the bar, or says from time to time how many images are done.
#include "tools/run_progress.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <utility>

#include "core/error.h"

namespace shiftadd::tools {

RunProgress::RunProgress(std::string title, const std::string& subject, int64_t total, Lines lines)
    : display_([](std::string_view text) { std::cerr << text << std::flush; },
               stderr_is_terminal()),
      title_(std::move(title)),
      total_(total),
      lines_(lines) {
  if (lines == Lines::kAll && !display_.terminal())
    display_.line(concat(title_, " ", subject, ": ", total_, total_ == 1 ? " image" : " images"));
}

void RunProgress::update(int64_t done) {
  if (lines_ == Lines::kNone) return;
  const double now = steady_seconds() - start_;
  const double speed = static_cast<double>(done) / std::max(now, 1e-9);
  const double left = static_cast<double>(total_ - done) / std::max(speed, 1e-9);
  char rate[32];
  std::snprintf(rate, sizeof rate, "%.1f img/s", speed);
  const std::string place = concat(done, "/", total_), rest = "ETA " + duration_text(left);
  if (display_.terminal())
    display_.draw({title_, done, total_, {place, rest, rate}}, now, done == total_);
  else if (now - line_at_ >= 10)
    line_at_ = now, display_.line(title_ + " " + place + " " + rate + " " + rest);
}

}  // namespace shiftadd::tools
