// See evaluation.h.
#include "infer/evaluation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/error.h"

namespace shiftadd::infer {
namespace {

double log_sum_exp(const float* logits, int64_t classes) {
  const double largest = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int64_t i = 0; i < classes; ++i) sum += std::exp(logits[i] - largest);
  return largest + std::log(sum);
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// At most a handful of names, then how many more.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i)
    text += (i ? ", " : "") + names[i];
  return names.size() > kShown ? concat(text, " and ", names.size() - kShown, " more") : text;
}

}  // namespace

std::vector<Prediction> top_k(const float* logits, int64_t classes, int64_t k) {
  k = std::min(k, classes);
  std::vector<int64_t> order(classes);
  std::iota(order.begin(), order.end(), 0);
  const auto better = [&](int64_t a, int64_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + k, order.end(), better);
  const double total = log_sum_exp(logits, classes);
  std::vector<Prediction> result;
  for (int64_t i = 0; i < k; ++i) result.push_back({order[i], std::exp(logits[order[i]] - total)});
  return result;
}

Evaluation::Evaluation(int64_t classes) : per_class_(classes) {}

void Evaluation::add(const float* logits, int64_t label) {
  const int64_t classes = static_cast<int64_t>(per_class_.size());
  int64_t rank = 0, predicted = 0;  // rank: classes that come before the label
  for (int64_t i = 0; i < classes; ++i) {
    if (logits[i] > logits[label] || (logits[i] == logits[label] && i < label)) ++rank;
    if (logits[i] > logits[predicted]) predicted = i;
  }
  if (std::isnan(logits[label])) rank = classes;
  ClassResult& result = per_class_[label];
  ++images_, ++result.images;
  if (rank == 0) ++top1_, ++result.top1;
  if (rank < std::min<int64_t>(5, classes)) ++top5_, ++result.top5;
  loss_ += log_sum_exp(logits, classes) - logits[label];
  ++confusion_[{label, predicted}];
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

std::vector<int64_t> match_classes(const std::vector<std::string>& model_names,
                                   int64_t model_classes, const std::vector<std::string>& set_names,
                                   const std::string& set) {
  const auto count = static_cast<int64_t>(set_names.size());
  std::vector<int64_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0);
  if (model_names.empty() && count != model_classes)
    throw user_error(set, ": ", count, " class folders, but the model has ", model_classes,
                     " classes (unnamed): expected one folder per class");
  if (model_names.empty() || model_names == set_names) return indices;
  std::map<std::string, int64_t> model;
  for (std::size_t i = 0; i < model_names.size(); ++i)
    model.emplace(model_names[i], static_cast<int64_t>(i));
  std::vector<std::string> model_only, set_only;
  for (int64_t i = 0; i < count; ++i) {
    const auto found = model.find(set_names[i]);
    if (found == model.end())
      set_only.push_back(set_names[i]);
    else
      indices[i] = found->second;
  }
  const std::set<std::string> folders(set_names.begin(), set_names.end());
  for (const auto& [name, index] : model)
    if (!folders.contains(name)) model_only.push_back(name);
  if (model_only.empty() && set_only.empty()) return indices;
  std::string text = set + ": its classes are not the model's.";
  if (!set_only.empty()) text += " Unknown to the model: " + listed(set_only) + ".";
  if (!model_only.empty()) text += " Without a folder: " + listed(model_only) + ".";
  throw user_error(text);
}

}  // namespace shiftadd::infer
