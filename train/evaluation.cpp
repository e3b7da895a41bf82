// See evaluation.h.
#include "train/evaluation.h"

namespace shiftadd::train {

std::optional<Evaluation> evaluate(const layers::Vit& model, data::Loader& loader,
                                   const std::atomic<bool>& stop) {
  const autograd::NoGradGuard no_grad;
  const int64_t classes = model.spec().classes;
  Evaluation result(classes);
  loader.start(0);
  while (const std::optional<data::Batch> batch = loader.next()) {
    if (stop) return std::nullopt;
    const autograd::Variable logits = model.forward(autograd::Variable(batch->images), {});
    const float* row = logits.value().data<float>();
    for (const int64_t label : batch->labels) {
      result.add(row, label);
      row += classes;
    }
  }
  return result;
}

}  // namespace shiftadd::train
