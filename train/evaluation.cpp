// Counting, batch by batch, in a fixed order.
#include "train/evaluation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace shiftadd::train {

void Evaluation::add(const Tensor& logits, std::span<const int64_t> labels) {
  const int64_t columns = logits.dim(1);
  classes.resize(static_cast<std::size_t>(columns));
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const float* x = logits.data<float>() + static_cast<int64_t>(row) * columns;
    const int64_t label = labels[row];
    const double largest = *std::max_element(x, x + columns);
    double sum = 0;
    int64_t rank = 0;
    bool valid = true;
    for (int64_t c = 0; c < columns; ++c) {
      sum += std::exp(x[c] - largest);
      rank += x[c] > x[label] || (x[c] == x[label] && c < label);
      valid = valid && !std::isnan(x[c]);
    }
    const bool first = valid && rank < 1, among_five = valid && rank < 5;
    loss_sum += largest + std::log(sum) - x[label];
    ++images;
    top1_count += first;
    top5_count += among_five;
    ClassResult& result = classes[static_cast<std::size_t>(label)];
    ++result.images;
    result.top1 += first;
    result.top5 += among_five;
  }
}

std::optional<Evaluation> evaluate(const layers::Vit& model, data::Loader& loader,
                                   const std::atomic<bool>& stop) {
  const autograd::NoGradGuard no_grad;
  Evaluation result;
  result.classes.resize(static_cast<std::size_t>(model.spec().classes));
  loader.start(0);
  while (const std::optional<data::Batch> batch = loader.next()) {
    if (stop) return std::nullopt;
    const autograd::Variable logits = model.forward(autograd::Variable(batch->images), {});
    result.add(logits.value(), batch->labels);
  }
  return result;
}

std::string per_class_csv(const Evaluation& evaluation, const std::vector<std::string>& classes) {
  std::string text = "class,images,top1,top5\n";
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const std::string& name = classes[c];
    if (name.find_first_of(",\"\r\n") == std::string::npos) {
      text += name;
    } else {
      text += '"';
      for (const char letter : name) text.append(letter == '"' ? 2 : 1, letter);
      text += '"';
    }
    const ClassResult& result = evaluation.classes[c];
    const double scale = result.images ? 100.0 / static_cast<double>(result.images) : 0;
    char numbers[96];
    std::snprintf(numbers, sizeof numbers, ",%lld,%.2f,%.2f\n",
                  static_cast<long long>(result.images), static_cast<double>(result.top1) * scale,
                  static_cast<double>(result.top5) * scale);
    text += numbers;
  }
  return text;
}

}  // namespace shiftadd::train
