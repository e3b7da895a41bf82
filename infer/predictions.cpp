// See predictions.h.
#include "infer/predictions.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/evaluation.h"

namespace shiftadd::infer {
namespace {

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
