// Where the time of a forward pass goes: processor time of each layer.
#pragma once

#include <time.h>

#include <array>
#include <cstdint>
#include <vector>

namespace shiftadd::infer {

/// The layers of a block, and patches, norm and head outside of the blocks. An MLP is fc1 and fc2,
/// or a router (which also sorts tokens) and two experts.
enum class LayerPart : uint8_t {
  kPatches,
  kNorm1,
  kQkv,
  kAttention,
  kProj,
  kNorm2,
  kFc1,
  kFc2,
  kRouter,
  kMultExpert,
  kShiftExpert,
  kNorm,
  kHead
};
inline constexpr int kLayerParts = 13;
inline const char* name_of(LayerPart part) {
  static constexpr const char* kNames[kLayerParts] = {
      "patches", "norm1",  "qkv",         "attention",    "proj", "norm2", "fc1",
      "fc2",     "router", "mult_expert", "shift_expert", "norm", "head"};
  return kNames[static_cast<int>(part)];
}

/// Seconds of each part of one block, or of what is outside of the blocks.
struct PartSeconds {
  std::array<double, kLayerParts> seconds{};
  double& of(LayerPart part) { return seconds[static_cast<std::size_t>(part)]; }
  double of(LayerPart part) const { return seconds[static_cast<std::size_t>(part)]; }
};
/// Of blocks 0 .. depth - 1, then of what is outside; summed over calls.
using LayerTimes = std::vector<PartSeconds>;

/// Processor time of the calling thread: what others run on the machine does not count.
inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Adds the time of its scope to one part; free when nobody asked (times is null).
class LayerTimer {
 public:
  LayerTimer(PartSeconds* times, LayerPart part)
      : times_(times), part_(part), start_(times ? thread_seconds() : 0) {}
  ~LayerTimer() {
    if (times_) times_->of(part_) += thread_seconds() - start_;
  }
  LayerTimer(const LayerTimer&) = delete;
  LayerTimer& operator=(const LayerTimer&) = delete;

 private:
  PartSeconds* times_;
  LayerPart part_;
  double start_;
};

}  // namespace shiftadd::infer
