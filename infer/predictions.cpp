// Sorts the classes by their logits, and refuses logits that are not finite.
#include "infer/predictions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/evaluation.h"

namespace shiftadd::infer {

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

void require_finite(const float* logits, int64_t classes, const std::string& model,
                    const std::string& image) {
  const std::string bad = nonfinite_logit(logits, classes);
  if (!bad.empty())
    throw user_error(model, ": its logits for ", image, " are not finite (", bad,
                     "): its weights are damaged, or what they compute overflows");
}

}  // namespace shiftadd::infer
