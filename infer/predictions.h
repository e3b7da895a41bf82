// Turns logits into answers: the k best classes, and which model class a labelled folder means.
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

/// The model's class index of each class of a labelled set, matched by the model's names, else by
/// its ids (by position where it has neither); the set may have fewer classes than the model.
/// Throws Error (user) listing the classes that the model does not know, or both counts. `set`
/// names the data in the message.
std::vector<int64_t> match_classes(const std::vector<std::string>& model_names,
                                   const std::vector<std::string>& model_ids, int64_t model_classes,
                                   const std::vector<std::string>& set_names,
                                   const std::string& set);

}  // namespace shiftadd::infer
