// Turns logits into answers: the k best classes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shiftadd::infer {

struct Prediction {
  int64_t index;
  double probability;
};
/// The k most probable classes (all when k is larger), best first, lower index first among equals.
std::vector<Prediction> top_k(const float* logits, int64_t classes, int64_t k);

/// Throws Error (user) that names model, image and class where a logit is NaN or infinite.
void require_finite(const float* logits, int64_t classes, const std::string& model,
                    const std::string& image);

}  // namespace shiftadd::infer
