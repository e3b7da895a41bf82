// Session: a loaded model that turns normalised images into logits, without gradients or
// allocation.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/model/model_file.h"

namespace shiftadd::infer {

/// Processor seconds of the calling thread in each part of the forward pass, summed over calls.
struct StageTimes {
  enum Stage { kPatches, kNorm, kQkv, kAttention, kProj, kFc1, kFc2, kHead, kStages };
  std::array<double, kStages> seconds{};
  static const char* name_of(int stage);
};

class Session {
 public:
  /// Packs the weights (each tensor of `model` is released as soon as it is packed). Throws Error
  /// (user) naming a weight that is missing or has another shape than model.spec demands.
  explicit Session(ModelFile model);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  const ModelSpec& spec() const;
  const Preprocess& preprocess() const;
  const std::vector<std::string>& classes() const;    // empty: unnamed
  const std::vector<std::string>& class_ids() const;  // empty: unknown

  /// images: batch * in_channels * S * S floats, normalised planes; logits: batch * classes floats.
  /// An image's logits have the same bits for any batch and any num_threads(). The first call, and
  /// the first after a change of num_threads(), takes memory; later ones take none. One call at a
  /// time.
  void run(const float* images, int64_t batch, float* logits);

  /// Sums the time of each stage from now on into `times` (null: stop); for runs with one thread.
  void set_stage_times(StageTimes* times);

  /// Multiply-accumulates that run() performs for one image: fewer than count_macs(spec()), because
  /// in the last block only the class token's row is carried beyond the keys and values: nothing
  /// reads the others.
  int64_t macs_per_image() const;
  /// Floats of packed weights, and of one thread's arena.
  int64_t weight_floats() const;
  int64_t arena_floats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shiftadd::infer
