// See compare.h.
#include "infer/compare.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "data/dataset.h"
#include "infer/image_stream.h"
#include "infer/predictions.h"

namespace shiftadd::infer {

Comparison compare(Session& trained, Session& packed, const std::string& set,
                   const std::function<void(int64_t, int64_t)>& report) {
  constexpr int64_t kBatch = 32;
  const data::ImageFolder folder = data::ImageFolder::open(set);
  const ModelSpec& spec = packed.spec();
  const int64_t classes = spec.classes, tokens = spec.tokens();
  const std::vector<int64_t> indices =
      match_classes(packed.classes(), packed.class_ids(), classes, folder.classes(), set);
  ImageStream stream(source_of_set(folder), packed.preprocess(), kBatch, num_threads());
  Comparison result = {Evaluation(classes), Evaluation(classes),
                       RoutingCounts(packed.routers(), tokens)};
  const auto image_choices = static_cast<int64_t>(packed.routers().size()) * tokens;
  std::vector<float> expected(kBatch * classes), actual(expected.size());
  std::vector<uint8_t> choices(kBatch * image_choices);
  while (const auto batch = stream.next()) {
    if (!batch->broken.empty()) throw user_error(batch->broken.front().reason);
    const auto rows = static_cast<int64_t>(batch->items.size());
    const float* pixels = batch->images.data<float>();
    trained.run(pixels, rows, expected.data());
    packed.run(pixels, rows, actual.data(), choices.data());
    for (int64_t i = 0; i < rows; ++i) {
      const float *a = expected.data() + i * classes, *b = actual.data() + i * classes;
      const int64_t label = indices[folder.label(batch->items[i])];
      result.trained.add(a, label);
      result.packed.add(b, label);
      result.routing.add(choices.data() + i * image_choices);
      result.same += std::max_element(a, a + classes) - a == std::max_element(b, b + classes) - b;
      for (int64_t c = 0; c < classes; ++c)
        result.largest_difference =
            std::max(result.largest_difference, std::abs(static_cast<double>(a[c]) - b[c]));
    }
    report(result.packed.images(), folder.size());
  }
  return result;
}

}  // namespace shiftadd::infer
