// See predictions.h.
#include "infer/predictions.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

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
                                   const std::vector<std::string>& model_ids, int64_t model_classes,
                                   const std::vector<std::string>& set_names,
                                   const std::string& set) {
  const auto count = static_cast<int64_t>(set_names.size());
  std::vector<int64_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0);
  if (model_names.empty() && model_ids.empty()) {
    if (count != model_classes)
      throw user_error(set, ": ", count, " class folders, but the model has ", model_classes,
                       " classes (unnamed): expected one folder per class");
    return indices;
  }
  if (model_names == set_names || model_ids == set_names) return indices;
  // The classes of the set that are not in `known`; fills indices.
  const auto unknown_among = [&](const std::vector<std::string>& known) {
    std::map<std::string, int64_t> positions;
    for (std::size_t i = 0; i < known.size(); ++i)
      positions.emplace(known[i], static_cast<int64_t>(i));
    std::vector<std::string> unknown;
    for (int64_t i = 0; i < count; ++i) {
      const auto found = positions.find(set_names[i]);
      if (found == positions.end())
        unknown.push_back(set_names[i]);
      else
        indices[i] = found->second;
    }
    return unknown;
  };
  const std::vector<std::string> unknown = unknown_among(model_names);
  if (unknown.empty() || (!model_ids.empty() && unknown_among(model_ids).empty())) return indices;
  throw user_error(set, ": classes the model does not know: ", listed(unknown),
                   ". The model's: ", listed(model_names));
}

}  // namespace shiftadd::infer
