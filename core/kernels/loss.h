// Losses. A step has a few thousand numbers of them: a CPU's tables hold the reference kernels.
#pragma once

#include <cstdint>

namespace shiftadd {

/// Mean over rows of -sum_c target log_softmax(logits); rows weighted by weight (or null: 1),
/// divided by the sum of the weights.
template <class T>
struct CrossEntropyArgs {
  int64_t rows, classes;
  const T *logits, *target, *weight;
  T* loss;     // one number
  T* dlogits;  // gradient of the loss, or null
};
/// tau^2 sum over rows and classes of softmax(teacher/tau) (log_softmax(teacher/tau) -
/// log_softmax(logits/tau)), divided by rows * classes (the golden value's convention).
template <class T>
struct DistillArgs {
  int64_t rows, classes;
  double tau;
  const T *logits, *teacher;
  T* loss;
  T* dlogits;  // or null
};

/// loss = SCV(importance) + SCV(load), SCV(z) = sample variance / mean^2 over the experts;
/// importance_i = alpha_i sum_t softmax(logits_t)_i,
/// load_i = alpha_i sum_t Phi((logits_ti - max_{j != i} noisy_tj) / sigma), noisy a constant
/// (Shazeer et al. 2017, arXiv 1701.06538, appendix A, with alpha: arXiv 2306.06446, section 4.3).
template <class T>
struct BalanceArgs {
  int64_t tokens, experts;
  const double* alpha;
  double sigma;             // > 0
  const T *logits, *noisy;  // (tokens, experts)
  T* loss;
  T* dlogits;                 // gradient of the loss, or null
  double *importance, *load;  // (experts)
  double* scv;                // of importance, of load
};

template <class T>
struct LossKernels {
  void (*cross_entropy)(const CrossEntropyArgs<T>&);
  void (*distill)(const DistillArgs<T>&);
  void (*balance)(const BalanceArgs<T>&);
};

}  // namespace shiftadd
