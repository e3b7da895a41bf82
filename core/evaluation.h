// The figures of a classifier on a labelled set: what the trainer and shiftadd-infer both report.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace shiftadd {

/// log(sum(exp(logits))) of one row, in double.
double log_sum_exp(const float* logits, int64_t classes);

/// "class 3: nan": the first logit that is NaN or infinite; "" where there is none.
std::string nonfinite_logit(const float* logits, int64_t classes);

/// `text` as one field of a CSV line: quoted, as RFC 4180 asks, where it holds a comma, a quote or
/// a line break.
std::string csv_field(const std::string& text);

/// Collects rows of logits one by one.
class Evaluation {
 public:
  struct ClassResult {
    int64_t images = 0, top1 = 0, top5 = 0;
  };

  explicit Evaluation(int64_t classes) : per_class_(classes) {}
  /// A label's rank is the number of logits above its own, equal ones of lower index included; a
  /// row with a NaN counts as wrong.
  void add(const float* logits, int64_t label);

  int64_t images() const { return images_; }
  int64_t top1_count() const { return top1_; }
  int64_t top5_count() const { return top5_; }             // of at most five classes
  double top1() const { return percent(top1_, images_); }  // 0 to 100
  double top5() const { return percent(top5_, images_); }
  /// Mean cross-entropy without smoothing or weights, nats.
  double loss() const { return images_ ? loss_ / static_cast<double>(images_) : 0; }
  const std::vector<ClassResult>& per_class() const { return per_class_; }
  /// "class,images,top1,top5": one line a class, percent with two decimals, "-"
  /// for a class without images.
  std::string per_class_csv(const std::vector<std::string>& names) const;
  /// A header line "true,NAME,NAME,..." (columns: predicted), then one line of counts a class.
  std::string confusion_csv(const std::vector<std::string>& names) const;

  static double percent(int64_t part, int64_t whole) {
    return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
  }
  /// With two decimals and `unit` after them; "-" of nothing.
  static std::string percent_text(int64_t part, int64_t whole, const char* unit = "");

 private:
  int64_t images_ = 0, top1_ = 0, top5_ = 0;
  double loss_ = 0;
  std::vector<ClassResult> per_class_;
  std::map<std::pair<int64_t, int64_t>, int64_t> confusion_;  // (true, predicted): sparse
};

}  // namespace shiftadd
