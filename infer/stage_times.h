// Where the time of a forward pass goes.
#pragma once

#include <time.h>

#include <array>

namespace shiftadd::infer {

/// Processor seconds of the calling thread in each part of the forward pass, summed over calls. A
/// mixture's router and both of its experts belong to the layer they stand for.
struct StageTimes {
  enum Stage { kPatches, kNorm, kQkv, kAttention, kProj, kFc1, kFc2, kHead, kStages };
  std::array<double, kStages> seconds{};
  static const char* name_of(int stage) {
    static constexpr const char* kNames[kStages] = {"patches", "norms", "qkv", "attention",
                                                    "proj",    "fc1",   "fc2", "head"};
    return kNames[stage];
  }
};

/// Adds the time of its scope to one stage; free when nobody asked (times is null).
class StageTimer {
 public:
  StageTimer(StageTimes* times, int stage)
      : times_(times), stage_(stage), start_(times ? thread_seconds() : 0) {}
  ~StageTimer() {
    if (times_) times_->seconds[stage_] += thread_seconds() - start_;
  }
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

 private:
  // Processor time of the calling thread: what others run on the machine does not count.
  static double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  }

  StageTimes* times_;
  int stage_;
  double start_;
};

}  // namespace shiftadd::infer
