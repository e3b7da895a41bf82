// Accuracy and loss of a network on a labelled set.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/loader.h"
#include "layers/vit.h"

namespace shiftadd::train {

struct ClassResult {
  int64_t images = 0, top1 = 0, top5 = 0;
};

struct Evaluation {
  int64_t images = 0, top1_count = 0, top5_count = 0;
  double loss_sum = 0;  // cross entropy without smoothing or weights, nats
  std::vector<ClassResult> classes;

  double top1() const { return percent(top1_count); }  // percent
  double top5() const { return percent(top5_count); }  // of at most five classes
  double loss() const { return images ? loss_sum / static_cast<double>(images) : 0; }

  /// Counts a batch: logits (B, classes) float32, one label per row. A label's rank is the number
  /// of logits above its own, equal ones to the left included; a row with NaN counts as wrong.
  void add(const Tensor& logits, std::span<const int64_t> labels);

 private:
  double percent(int64_t count) const {
    return images ? 100.0 * static_cast<double>(count) / static_cast<double>(images) : 0;
  }
};

/// Runs the whole of `loader` (made with training = false) through the network without recording.
/// Nothing when `stop` became true on the way.
std::optional<Evaluation> evaluate(const layers::Vit& model, data::Loader& loader,
                                   const std::atomic<bool>& stop);

/// "class,images,top1,top5": one line per class, percent with two decimals. Names are quoted as RFC
/// 4180 asks where they hold a comma, a quote or a line break.
std::string per_class_csv(const Evaluation& evaluation, const std::vector<std::string>& classes);

}  // namespace shiftadd::train
