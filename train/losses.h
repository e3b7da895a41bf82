// The training loss: cross entropy on soft targets, class weights, distillation of answers and
// features.
#pragma once

#include <span>
#include <vector>

#include "autograd/variable.h"
#include "train/config.h"

namespace shiftadd::train {

/// One weight per class: the configured ones, or for balanced_class_weights
/// images / (classes * images of the class) over `labels`; undefined when neither is set. Throws
/// Error (user) when the configured weights are not as many as the classes.
Tensor class_weights(const DataConfig& config, int64_t classes, std::span<const int64_t> labels);

/// -sum_c target log_softmax(logits), averaged over the batch: logits (B, classes), targets (B,
/// classes) with rows that sum to 1. With `weights` (classes), class c of a target counts
/// weights[c] times and the sum is divided by the sum of weights[c] target[c]: torch's weighted
/// mean for labels, extended to mixed ones.
autograd::Variable classification_loss(const autograd::Variable& logits, const Tensor& targets,
                                       const Tensor& weights);

/// (1 - alpha) base + alpha distillation, with teacher logits (B, classes).
/// Soft: tau^2 KL(teacher / tau || student / tau), summed over classes, averaged over images
/// (Hinton et al. 2015). Hard: cross entropy with the teacher's best class (DeiT, Touvron et al.
/// 2021).
autograd::Variable distillation_loss(const autograd::Variable& base,
                                     const autograd::Variable& logits, const Tensor& teacher_logits,
                                     const TeacherConfig& config);

/// How far features y (B, M, C) are from a teacher's t (B, N, C) (FitNets, Romero et al. 2015):
/// sum (y - t)^2 / sum t^2 over the first min(M, N) tokens. float32, summed in double in an order
/// that no number of threads changes. Throws Error (user) where B or C differ.
autograd::Variable relative_error(const autograd::Variable& y, const Tensor& t);

}  // namespace shiftadd::train
