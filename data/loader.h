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

namespace shiftadd::data {

enum class BrokenPolicy : uint8_t { kFail, kSkip, kQuarantine };

struct LoaderOptions {
  int64_t batch = 128;
  bool training = true;      // shuffled, augmented, last short batch dropped; else in order, all, evaluation preprocessing
  int64_t repeated_augmentation = 1;  // each image this many times per epoch's order, order cut to the dataset's size (RASampler)
  int workers = 1;           // decoding threads; 0: decode on the caller
  int64_t prefetch = 4;      // batches held ready
  uint64_t seed = 0;
  double label_smoothing = 0;
  AugmentOptions augment;
  MixOptions mix;
  Preprocess preprocess;
  BrokenPolicy broken = BrokenPolicy::kFail;
  std::string quarantine_file;         // kQuarantine: names appended here, one a line
  int64_t cache_bytes = 0;   // keep decoded images in memory up to this many bytes
  std::function<void(const std::string&)> warn;  // receives a line per broken image
};

struct Batch {
  Tensor images;                 // (B, 3, S, S) float32
  Tensor targets;                // (B, classes) float32: smoothed and mixed; training only
  std::vector<int64_t> labels;   // (B)
  std::vector<int64_t> samples;  // dataset indices (B)
};

/// The order of an epoch depends on (seed, epoch) only; augmentation on (seed, epoch, position in the epoch). A skipped
/// image leaves the others' order and draws unchanged; a batch may then be shorter.
class Loader {
 public:
  Loader(const ImageFolder& dataset, LoaderOptions options);
  ~Loader();
  int64_t batches() const;  // per epoch
  /// Begins an epoch at batch `first` (resume).
  void start(int64_t epoch, int64_t first = 0);
  /// The next batch, or nothing at the epoch's end. Rethrows a worker's Error.
  std::optional<Batch> next();
  int64_t broken_count() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads and decodes everything once; one line per broken or odd (tiny, huge, gray, wrong extension, CMYK) file.
struct DataReport {
  int64_t images = 0, broken = 0, odd = 0;
  std::vector<std::string> lines;
};
DataReport check_data(const ImageFolder& dataset);

}  // namespace shiftadd::data
