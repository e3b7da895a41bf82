// Batches in a fixed order, decoded ahead by worker threads.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/decode.h"

namespace shiftadd::data {

enum class BrokenPolicy : uint8_t { kFail, kSkip, kQuarantine };

struct LoaderOptions {
  int64_t batch = 128;
  bool training = true;  // shuffled, augmented, last short batch dropped; else in order, all,
                         // evaluation preprocessing
  int64_t repeated_augmentation = 1;  // each image this many times per epoch's order, order cut to
                                      // the dataset's size (RASampler)
  int workers = 1;                    // decoding threads; 0: decode on the caller, inside next()
  int64_t prefetch = 4;               // batches held ready
  uint64_t seed = 0;
  double label_smoothing = 0;
  AugmentOptions augment;
  MixOptions mix;
  Preprocess preprocess;
  DecodeLimits limits;  // an image beyond them is a broken one
  BrokenPolicy broken = BrokenPolicy::kFail;
  std::string quarantine_file;  // kQuarantine: paths appended here, one a line, each once
  int64_t cache_bytes = 0;      // keep decoded images in memory up to this many bytes
  std::function<void(const std::string&)>
      warn;  // receives a line per broken image, once each, inside next()
};

struct Batch {
  Tensor images;                 // (B, channels, height, width) float32
  Tensor targets;                // (B, classes) float32: smoothed and mixed; training only
  std::vector<int64_t> labels;   // (B)
  std::vector<int64_t> samples;  // dataset indices (B)
  int64_t index = 0;  // number of the batch in its epoch: resume with start(epoch, index + 1)
};

/// The order of an epoch depends on (seed, epoch) only; augmentation on (seed, epoch, position in
/// the epoch). A skipped image leaves the others' order and draws unchanged; a batch is then
/// shorter, and left out when nothing remains of it. Batches do not depend on workers, prefetch or
/// cache_bytes. One thread uses a Loader.
class Loader {
 public:
  /// Throws Error (user) for an option out of range, or a training set smaller than one batch.
  Loader(const ImageFolder& dataset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  int64_t batches() const;  // per epoch
  /// Begins an epoch at batch `first` (resume).
  void start(int64_t epoch, int64_t first = 0);
  /// The next batch, or nothing at the epoch's end (and before any start). Throws a worker's Error
  /// when its batch is due, again on each call until the next start. A batch's memory is used again
  /// once its tensors are released.
  std::optional<Batch> next();
  /// Different broken images met so far in delivered batches.
  int64_t broken_count() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shiftadd::data
