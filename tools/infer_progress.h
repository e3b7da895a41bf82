// How far a long run of shiftadd-infer is: a bar on a terminal, a plain line now and then
// elsewhere.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace shiftadd::tools {

class InferProgress {
 public:
  InferProgress(int64_t total, bool wanted)
      : total_(total), wanted_(wanted), terminal_(isatty(2)) {}
  ~InferProgress() { clear(); }

  void update(int64_t done) {
    if (!wanted_) return;
    const auto now = Clock::now();
    const auto pause =
        terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10'000);
    if (now - shown_ < pause) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double speed = static_cast<double>(done) / std::max(seconds, 1e-9);
    const double left = static_cast<double>(total_ - done) / std::max(speed, 1e-9);
    if (terminal_) {
      constexpr int64_t kWidth = 30;
      const auto filled = static_cast<std::size_t>(total_ ? kWidth * done / total_ : kWidth);
      std::fprintf(stderr, "\r[%s%s] %lld/%lld  %.1f images/s  %.0f s left \033[K",
                   std::string(filled, '#').c_str(), std::string(kWidth - filled, '.').c_str(),
                   static_cast<long long>(done), static_cast<long long>(total_), speed, left);
      drawn_ = true;
    } else {
      std::fprintf(stderr, "%lld of %lld images, %.1f images/s, %.0f s left\n",
                   static_cast<long long>(done), static_cast<long long>(total_), speed, left);
    }
    std::fflush(stderr);
  }

  /// Removes the bar, so that another line can be printed.
  void clear() {
    if (drawn_) std::fputs("\r\033[K", stderr), std::fflush(stderr);
    drawn_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  int64_t total_;
  bool wanted_, terminal_, drawn_ = false;
  Clock::time_point start_ = Clock::now(), shown_ = start_;
};

}  // namespace shiftadd::tools
