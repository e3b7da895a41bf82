// Runs a session on all batches of a stream of images, and counts the answers on a labelled set.
#include "infer/evaluate.h"

#include <algorithm>

#include "core/class_names.h"
#include "core/error.h"
#include "infer/predictions.h"

namespace shiftadd::infer {

int64_t run_images(Session& session, const data::ImageSource& source, const ImageRun& run) {
  const int64_t outputs = session.outputs(), tokens = routed_tokens(session.routers());
  const int64_t most = std::min(run.batch, source.count);  // images a batch
  data::ImageStream stream(source, session.preprocess(), run.batch, run.workers, run.limits);
  std::vector<float> logits(most * outputs);
  std::vector<uint8_t> choices(run.choices ? most * tokens : 0);
  int64_t done = 0, broken = 0;
  while (!(run.stopped && run.stopped())) {
    const auto batch = stream.next();
    if (!batch) break;
    if (!run.broken && !batch->broken.empty()) throw user_error(batch->broken.front().reason);
    const auto rows = static_cast<int64_t>(batch->items.size());
    const uint8_t* pixels = batch->images.data<uint8_t>();
    session.run_pixels(pixels, rows, logits.data(), run.choices ? choices.data() : nullptr);
    if (run.batch_done) run.batch_done(*batch);
    for (const auto& each : batch->broken) run.broken(each);
    const int64_t values = rows ? batch->images.numel() / rows : 0;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t item = batch->items[i];
      const float* answer = logits.data() + i * outputs;
      require_finite(answer, outputs, run.model, run.name ? run.name(item) : source.name(item));
      if (run.answer)
        run.answer({item, pixels + i * values, answer,
                    run.choices ? choices.data() + i * tokens : nullptr});
    }
    broken += static_cast<int64_t>(batch->broken.size());
    done += rows + static_cast<int64_t>(batch->broken.size());
    if (run.progress) run.progress(done);
  }
  return broken;
}

LabelledSet labelled(const Session& session, const data::ImageFolder& images,
                     const std::string& given) {
  if (session.spec().classes == 0)
    throw user_error(given, ": the network has no head, so that its answers are features and ",
                     "no class can be right: fine-tune it first (shiftadd-train, init.adapt)");
  return {images, match_classes(session.classes(), session.class_ids(), session.spec().classes,
                                images.classes(), given)};
}

EvaluatedSet evaluate(Session& session, const LabelledSet& set, const ImageRun& run) {
  EvaluatedSet result{Evaluation(session.outputs())};
  ImageRun counted = run;
  counted.answer = [&](const Answer& answer) {
    result.answers.add(answer.logits, set.label(answer.item));
    if (run.answer) run.answer(answer);
  };
  result.broken = run_images(session, data::source_of_set(set.images), counted);
  return result;
}

}  // namespace shiftadd::infer
