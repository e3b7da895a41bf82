// Counts the right answers image by image, and writes them per class or as a confusion table.
#include "core/evaluation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/error.h"

namespace shiftadd {

double log_sum_exp(const float* logits, int64_t classes) {
  const double largest = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int64_t i = 0; i < classes; ++i) sum += std::exp(logits[i] - largest);
  return largest + std::log(sum);
}

std::string nonfinite_logit(const float* logits, int64_t classes) {
  const float* const end = logits + classes;
  const float* const bad = std::find_if(logits, end, [](float x) { return !std::isfinite(x); });
  return bad == end ? ""
                    : concat("class ", bad - logits, ": ", std::isnan(*bad) ? std::nanf("") : *bad);
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

void Evaluation::add(const float* logits, int64_t label) {
  const int64_t classes = static_cast<int64_t>(per_class_.size());
  int64_t rank = 0, predicted = 0;  // rank: classes that come before the label
  bool valid = true;
  for (int64_t i = 0; i < classes; ++i) {
    if (logits[i] > logits[label] || (logits[i] == logits[label] && i < label)) ++rank;
    if (logits[i] > logits[predicted]) predicted = i;
    valid = valid && !std::isnan(logits[i]);
  }
  if (!valid) rank = classes;
  ClassResult& result = per_class_[label];
  ++images_, ++result.images;
  if (rank == 0) ++top1_, ++result.top1;
  if (rank < std::min<int64_t>(5, classes)) ++top5_, ++result.top5;
  loss_ += log_sum_exp(logits, classes) - logits[label];
  ++confusion_[{label, predicted}];
}

std::string Evaluation::percent_text(int64_t part, int64_t whole, const char* unit) {
  if (whole == 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.2f%s", percent(part, whole), unit);
  return text;
}

std::string Evaluation::per_class_csv(const std::vector<std::string>& names) const {
  std::string text = "class,images,top1,top5\n";
  for (std::size_t c = 0; c < names.size(); ++c) {
    const ClassResult& result = per_class_[c];
    text += concat(csv_field(names[c]), ",", result.images, ",",
                   percent_text(result.top1, result.images), ",",
                   percent_text(result.top5, result.images), "\n");
  }
  return text;
}

std::string Evaluation::confusion_csv(const std::vector<std::string>& names) const {
  const int64_t classes = static_cast<int64_t>(per_class_.size());
  std::string text = "true";
  for (const std::string& name : names) text += "," + csv_field(name);
  text += "\n";
  for (int64_t row = 0; row < classes; ++row) {
    text += csv_field(names[row]);
    for (int64_t column = 0; column < classes; ++column) {
      const auto found = confusion_.find({row, column});
      text += "," + std::to_string(found == confusion_.end() ? 0 : found->second);
    }
    text += "\n";
  }
  return text;
}

}  // namespace shiftadd
