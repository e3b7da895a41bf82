// Evaluates the trained session, runs the packed one on the same batches, and compares the answers.
#include "infer/compare.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "infer/predictions.h"

namespace shiftadd::infer {

Comparison compare(Session& trained, Session& packed, const LabelledSet& set,
                   const std::function<void(int64_t done)>& progress) {
  const int64_t classes = packed.outputs(), tokens = routed_tokens(packed.routers());
  Comparison result = {Evaluation(classes), Evaluation(classes), RoutingCounts(packed.routers())};
  ImageRun run = {.model = "the model as trained"};
  run.name = [&](int64_t item) { return set.images.full_name(item); };
  run.progress = progress;
  std::vector<float> logits(run.batch * classes);  // the packed session's, of the batch at work
  std::vector<uint8_t> choices(run.batch * tokens);
  int64_t row = 0;
  run.batch_done = [&](const data::ImageBatch& batch) {
    packed.run_pixels(batch.images.data<uint8_t>(), static_cast<int64_t>(batch.items.size()),
                      logits.data(), choices.data());
    row = 0;
  };
  run.answer = [&](const Answer& answer) {
    const float *a = answer.logits, *b = logits.data() + row * classes;
    require_finite(b, classes, "the packed model", run.name(answer.item));
    result.packed.add(b, set.label(answer.item));
    result.routing.add(choices.data() + row * tokens);
    result.same += std::max_element(a, a + classes) - a == std::max_element(b, b + classes) - b;
    for (int64_t c = 0; c < classes; ++c)
      result.largest_difference =
          std::max(result.largest_difference, std::abs(static_cast<double>(a[c]) - b[c]));
    ++row;
  };
  result.trained = evaluate(trained, set, run).answers;
  return result;
}

}  // namespace shiftadd::infer
