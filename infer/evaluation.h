// Turns logits into answers: the k best classes, and the figures of a labelled set.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace shiftadd::infer {

struct Prediction {
  int64_t index;
  double probability;
};
/// The k most probable classes (all when k is larger), best first, lower index first among equals.
std::vector<Prediction> top_k(const float* logits, int64_t classes, int64_t k);

/// Collects images one by one.
class Evaluation {
 public:
  explicit Evaluation(int64_t classes);
  void add(const float* logits, int64_t label);

  int64_t images() const { return images_; }
  double top1() const { return percent(top1_, images_); }  // 0 to 100
  double top5() const { return percent(top5_, images_); }
  double loss() const {
    return images_ ? loss_ / static_cast<double>(images_) : 0;
  }  // mean cross-entropy
  struct ClassResult {
    int64_t images = 0, top1 = 0, top5 = 0;
  };
  const std::vector<ClassResult>& per_class() const { return per_class_; }
  /// A header line "true,NAME,NAME,..." (columns: predicted), then one line of counts a class.
  std::string confusion_csv(const std::vector<std::string>& names) const;

  static double percent(int64_t part, int64_t whole) {
    return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
  }

 private:
  int64_t images_ = 0, top1_ = 0, top5_ = 0;
  double loss_ = 0;
  std::vector<ClassResult> per_class_;
  std::map<std::pair<int64_t, int64_t>, int64_t> confusion_;  // (true, predicted): sparse
};

/// The model's class index of each class of a labelled set, matched by name (by position where the
/// model has no names). Throws Error (user) unless both have the same classes, listing the names
/// that only one of them has, or both counts. `set` names the data in the message.
std::vector<int64_t> match_classes(const std::vector<std::string>& model_names,
                                   int64_t model_classes, const std::vector<std::string>& set_names,
                                   const std::string& set);

}  // namespace shiftadd::infer
