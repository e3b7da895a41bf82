// Cross entropy with soft targets and distillation (Hinton et al. 2015), by definition.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// out = log_softmax(x / tau)
template <class T>
void log_softmax(const T* x, double tau, std::vector<double>& out) {
  for (std::size_t j = 0; j < out.size(); ++j) out[j] = x[j] / tau;
  const double top = *std::max_element(out.begin(), out.end());
  double sum = 0;
  for (double value : out) sum += std::exp(value - top);
  for (double& value : out) value -= top + std::log(sum);
}

}  // namespace

template <class T>
void cross_entropy(const CrossEntropyArgs<T>& args) {
  const int64_t n = args.classes;
  std::vector<double> log_p(n);
  double total_weight = 0, loss = 0;
  for (int64_t row = 0; row < args.rows; ++row) total_weight += args.weight ? args.weight[row] : 1;
  for (int64_t row = 0; row < args.rows; ++row) {
    log_softmax(args.logits + row * n, 1, log_p);
    const T* target = args.target + row * n;
    // A batch whose rows all weigh nothing has no loss and no gradient.
    const double share = total_weight > 0 ? (args.weight ? args.weight[row] : 1) / total_weight : 0;
    double mass = 0;
    for (int64_t j = 0; j < n; ++j) {
      loss -= share * target[j] * log_p[j];
      mass += target[j];
    }
    for (int64_t j = 0; args.dlogits && j < n; ++j)
      args.dlogits[row * n + j] = static_cast<T>(share * (std::exp(log_p[j]) * mass - target[j]));
  }
  *args.loss = static_cast<T>(loss);
}

template <class T>
void distill(const DistillArgs<T>& args) {
  const int64_t n = args.classes;
  const double factor = 1.0 / (args.rows * n);
  std::vector<double> student(n), teacher(n);
  double loss = 0;
  for (int64_t row = 0; row < args.rows; ++row) {
    log_softmax(args.logits + row * n, args.tau, student);
    log_softmax(args.teacher + row * n, args.tau, teacher);
    for (int64_t j = 0; j < n; ++j) {
      const double p = std::exp(teacher[j]);
      loss += args.tau * args.tau * factor * p * (teacher[j] - student[j]);
      if (args.dlogits)
        args.dlogits[row * n + j] = static_cast<T>(args.tau * factor * (std::exp(student[j]) - p));
    }
  }
  *args.loss = static_cast<T>(loss);
}

template void cross_entropy(const CrossEntropyArgs<float>&);
template void cross_entropy(const CrossEntropyArgs<double>&);
template void distill(const DistillArgs<float>&);
template void distill(const DistillArgs<double>&);

}  // namespace shiftadd::reference
