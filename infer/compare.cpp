// Runs one or two sessions on all batches of a labelled set, and adds up their answers.
#include "infer/compare.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/class_names.h"
#include "core/parallel.h"
#include "data/dataset.h"
#include "data/image_stream.h"
#include "infer/predictions.h"

namespace shiftadd::infer {

namespace {

constexpr int64_t kBatch = 32;

// Calls body(pixels, count, labels, name) for each batch of a set, as the session's preprocessing
// makes it; the labels are the network's classes, and name(row) is the name of an image.
template <class Body>
void for_labelled_batches(const Session& session, const std::string& set,
                          const EvaluationReport& report, Body body) {
  const data::ImageFolder folder = data::ImageFolder::open(set);
  const std::vector<int64_t> indices = match_classes(session.classes(), session.class_ids(),
                                                     session.spec().classes, folder.classes(), set);
  ImageStream stream(source_of_set(folder), session.preprocess(), kBatch, num_threads());
  std::vector<int64_t> labels;
  int64_t done = 0;
  report(done, folder.size());
  while (const auto batch = stream.next()) {
    if (!batch->broken.empty()) throw user_error(batch->broken.front().reason);
    labels.clear();
    for (const auto& item : batch->items) labels.push_back(indices[folder.label(item)]);
    body(batch->images.template data<float>(), static_cast<int64_t>(labels.size()), labels,
         [&](int64_t row) { return folder.full_name(batch->items[row]); });
    report(done += static_cast<int64_t>(labels.size()), folder.size());
  }
}

}  // namespace

Evaluation evaluate(Session& session, const std::string& model, const std::string& set,
                    const EvaluationReport& report) {
  const int64_t classes = session.spec().classes;
  Evaluation result(classes);
  std::vector<float> logits(kBatch * classes);
  for_labelled_batches(
      session, set, report,
      [&](const float* pixels, int64_t rows, const std::vector<int64_t>& labels, const auto& name) {
        session.run(pixels, rows, logits.data());
        for (int64_t i = 0; i < rows; ++i) {
          const float* row = logits.data() + i * classes;
          require_finite(row, classes, model, name(i));
          result.add(row, labels[i]);
        }
      });
  return result;
}

Comparison compare(Session& trained, Session& packed, const std::string& set,
                   const EvaluationReport& report) {
  const int64_t classes = packed.spec().classes;
  Comparison result = {Evaluation(classes), Evaluation(classes), RoutingCounts(packed.routers())};
  const int64_t image_choices = routed_tokens(packed.routers());
  std::vector<float> expected(kBatch * classes), actual(expected.size());
  std::vector<uint8_t> choices(kBatch * image_choices);
  for_labelled_batches(
      packed, set, report,
      [&](const float* pixels, int64_t rows, const std::vector<int64_t>& labels, const auto& name) {
        trained.run(pixels, rows, expected.data());
        packed.run(pixels, rows, actual.data(), choices.data());
        for (int64_t i = 0; i < rows; ++i) {
          const float *a = expected.data() + i * classes, *b = actual.data() + i * classes;
          require_finite(a, classes, "the model as trained", name(i));
          require_finite(b, classes, "the packed model", name(i));
          result.trained.add(a, labels[i]);
          result.packed.add(b, labels[i]);
          result.routing.add(choices.data() + i * image_choices);
          result.same +=
              std::max_element(a, a + classes) - a == std::max_element(b, b + classes) - b;
          for (int64_t c = 0; c < classes; ++c)
            result.largest_difference =
                std::max(result.largest_difference, std::abs(static_cast<double>(a[c]) - b[c]));
        }
      });
  return result;
}

}  // namespace shiftadd::infer
