// Cross entropy of integer labels.
#include "autograd/ops.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable cross_entropy(const Variable& logits, std::span<const int64_t> labels,
                       double label_smoothing, const Tensor& class_weights) {
  check_rank("cross_entropy", "logits", logits, 2);
  const int64_t rows = logits.dim(0), classes = logits.dim(1);
  if (static_cast<int64_t>(labels.size()) != rows)
    throw user_error("[cross_entropy] ", labels.size(), " labels for logits ", logits.shape());
  for (int64_t i = 0; i < rows; ++i) {
    if (labels[i] < 0 || labels[i] >= classes)
      throw user_error("[cross_entropy] label ", labels[i], " of row ", i, ": expected 0..",
                       classes - 1);
  }
  if (!(label_smoothing >= 0 && label_smoothing < 1))
    throw user_error("[cross_entropy] label smoothing is ", label_smoothing,
                     ": expected 0 <= s < 1");
  if (class_weights.defined())
    check_shape("cross_entropy", "class weights", class_weights.shape(), {classes});

  const Tensor target =
      Tensor::full(logits.shape(), label_smoothing / static_cast<double>(classes), logits.dtype());
  Tensor weight;
  dispatch(logits.dtype(), [&]<class T>() {
    for (int64_t i = 0; i < rows; ++i)
      target.data<T>()[i * classes + labels[i]] += static_cast<T>(1 - label_smoothing);
    if (!class_weights.defined()) return;
    const Tensor of_class = class_weights.to(logits.dtype());
    weight = Tensor({rows}, logits.dtype());
    double total = 0;
    for (int64_t i = 0; i < rows; ++i) {
      const T w = of_class.data<T>()[labels[i]];
      if (!(w >= 0))
        throw user_error("[cross_entropy] weight of class ", labels[i], " is ", w,
                         ": expected >= 0");
      weight.data<T>()[i] = w;
      total += w;
    }
    if (!(total > 0))
      throw user_error(
          "[cross_entropy] all labels of this batch have weight 0: give some class of it a weight");
  });
  return weighted_cross_entropy("cross_entropy", logits, target, weight);
}

}  // namespace shiftadd::autograd
