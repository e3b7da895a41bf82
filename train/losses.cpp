// Losses composed from the differentiable operations.
#include "train/losses.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops.h"
#include "autograd/ops/loss.h"
#include "core/parallel.h"

namespace shiftadd::train {

using autograd::Variable;

namespace {

/// Rows weighted by sum_c weights[c] target[c] and targets made distributions again.
Variable class_weighted(const Variable& logits, const Tensor& targets, const Tensor& weights) {
  const int64_t rows = targets.dim(0), classes = targets.dim(1);
  const Tensor weighted(targets.shape()), row_weights(Shape{rows});
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = targets.data<float>() + row * classes;
    float* to = weighted.data<float>() + row * classes;
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c)
      sum += static_cast<double>(from[c]) * weights.data<float>()[c];
    for (int64_t c = 0; c < classes; ++c)
      to[c] = sum > 0 ? static_cast<float>(from[c] * weights.data<float>()[c] / sum) : from[c];
    row_weights.data<float>()[row] = static_cast<float>(sum);
  }
  return autograd::weighted_cross_entropy("classification_loss", logits, weighted, row_weights);
}

// sum of f(image), in a fixed order.
template <class F>
double sum_over_images(int64_t images, F&& f) {
  std::vector<double> sums(static_cast<std::size_t>(images));
  parallel_for(images, [&](int64_t image) { sums[static_cast<std::size_t>(image)] = f(image); });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

Tensor class_weights(const DataConfig& config, int64_t classes, std::span<const int64_t> labels) {
  std::vector<float> weights(config.class_weights.begin(), config.class_weights.end());
  if (config.balanced_class_weights) {
    std::vector<int64_t> counts(static_cast<std::size_t>(classes));
    for (const int64_t label : labels) ++counts[static_cast<std::size_t>(label)];
    weights.clear();
    for (const int64_t count : counts)
      weights.push_back(
          static_cast<float>(static_cast<double>(labels.size()) /
                             (static_cast<double>(classes) * std::max<int64_t>(count, 1))));
  }
  if (weights.empty()) return {};
  if (static_cast<int64_t>(weights.size()) != classes)
    throw user_error("data.class_weights has ", weights.size(),
                     " numbers: expected one for each of the ", classes,
                     " classes, in sorted order");
  return Tensor::from(weights, {classes});
}

Variable classification_loss(const Variable& logits, const Tensor& targets, const Tensor& weights) {
  if (!weights.defined()) return autograd::soft_cross_entropy(logits, targets);
  if (targets.shape() != logits.shape() || weights.shape() != Shape{logits.dim(1)})
    throw user_error("[classification_loss] logits are ", logits.shape(), ", targets ",
                     targets.shape(), ", class weights ", weights.shape(),
                     ": expected (B, C), (B, C) and (C)");
  return class_weighted(logits, targets, weights);
}

Variable distillation_loss(const Variable& base, const Variable& logits,
                           const Tensor& teacher_logits, const TeacherConfig& config) {
  const int64_t rows = teacher_logits.dim(0), classes = teacher_logits.dim(1);
  Variable distilled;
  if (config.kind == TeacherConfig::Kind::kSoft) {
    // The op divides by rows * classes; the loss averages over images only.
    distilled = autograd::scale(autograd::distill(logits, teacher_logits, config.tau),
                                static_cast<double>(classes));
  } else {
    std::vector<int64_t> labels;
    for (int64_t row = 0; row < rows; ++row) {
      const float* x = teacher_logits.data<float>() + row * classes;
      labels.push_back(std::max_element(x, x + classes) - x);
    }
    distilled = autograd::cross_entropy(logits, labels);
  }
  return autograd::add(autograd::scale(base, 1 - config.alpha),
                       autograd::scale(distilled, config.alpha));
}

Variable relative_error(const Variable& y, const Tensor& t) {
  if (y.value().rank() != 3 || t.rank() != 3 || y.dim(0) != t.dim(0) || y.dim(2) != t.dim(2))
    throw user_error("[relative_error] y is ", y.shape(), ", t ", t.shape(),
                     ": expected (B, M, C) and (B, N, C)");
  const int64_t images = y.dim(0), width = y.dim(2);
  const int64_t compared = std::min(y.dim(1), t.dim(1)) * width;  // of an image
  const auto of = [&](const Tensor& x, int64_t image) {
    return x.data<float>() + image * x.dim(1) * width;
  };
  const double squares = sum_over_images(images, [&](int64_t image) {
    const float* wanted = of(t, image);
    double sum = 0;
    for (int64_t i = 0; i < compared; ++i) sum += static_cast<double>(wanted[i]) * wanted[i];
    return sum;
  });
  const double size = std::max(squares, 1e-12);
  const Tensor gradient = Tensor::zeros(y.shape());
  const auto factor = static_cast<float>(2 / size);
  const double error = sum_over_images(images, [&](int64_t image) {
    const float *is = of(y.value(), image), *wanted = of(t, image);
    float* g = of(gradient, image);
    double sum = 0;
    for (int64_t i = 0; i < compared; ++i) {
      const float difference = is[i] - wanted[i];
      g[i] = factor * difference;
      sum += static_cast<double>(difference) * difference;
    }
    return sum;
  });
  return autograd::record_loss("relative_error", Tensor::full({}, error / size), y, gradient);
}

}  // namespace shiftadd::train
