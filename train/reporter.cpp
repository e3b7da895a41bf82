// Writes lines or draws the bar; a thread of its own writes a line when none came for long.
#include "train/reporter.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace shiftadd::train {

Reporter::Reporter(Progress::Sink sink, bool terminal, double silence)
    : progress_(std::move(sink), terminal), silence_(silence), said_at_(steady_seconds()) {
  if (!terminal && silence > 0) watcher_ = std::thread([this] { watch(); });
}

Reporter::~Reporter() {
  {
    std::lock_guard lock(mutex_);
    done_ = true;
  }
  wake_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

// The caller holds the mutex.
void Reporter::say(const std::string& text) {
  progress_.line(text);
  said_at_ = steady_seconds();
}

void Reporter::line(const std::string& text) {
  std::lock_guard lock(mutex_);
  say(text);
}

void Reporter::at(const ProgressBar& bar, const std::string& text, bool due) {
  std::lock_guard lock(mutex_);
  const double now = steady_seconds();
  standing_ = text;
  standing_at_ = now;
  if (progress_.terminal())
    progress_.draw(bar, now, bar.done == bar.total);
  else if (due || (silence_ > 0 && now - said_at_ >= silence_))
    say(text);
}

void Reporter::at(const ProgressBar& bar) {
  std::string text = bar.title;
  for (const std::string& figure : bar.figures) text += " " + figure;
  at(bar, text, false);
}

// One step, or the reading of the data, may take longer than `silence` seconds.
void Reporter::watch() {
  constexpr double kLeast = 1;  // between its lines, in seconds
  std::unique_lock lock(mutex_);
  while (!done_) {
    const double left = said_at_ + silence_ - steady_seconds();
    wake_.wait_for(lock, std::chrono::duration<double>(std::max(left, kLeast)));
    const double now = steady_seconds();
    if (done_ || standing_.empty() || now - said_at_ < std::max(silence_, kLeast)) continue;
    const double stood = now - standing_at_;  // short where many steps passed that were not said
    say(stood < kLeast ? standing_ : "still at work (" + duration_text(stood) + "): " + standing_);
  }
}

}  // namespace shiftadd::train
