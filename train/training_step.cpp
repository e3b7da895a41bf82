// See training_step.h.
#include "train/training_step.h"

#include <cmath>

#include "core/cpu/bf16.h"
#include "core/cpu/isa.h"

namespace shiftadd::train {

using autograd::Variable;

TrainingStep::TrainingStep(const layers::Vit& model, const layers::Vit* teacher,
                           Optimizer& optimizer, Ema* ema, const LoopConfig& config,
                           Tensor class_weights, uint64_t seed)
    : model_(model),
      teacher_(teacher),
      optimizer_(optimizer),
      ema_(ema),
      config_(config),
      class_weights_(std::move(class_weights)),
      seed_(seed) {}

bool multiplies_bf16(const LoopConfig& config) {
  return config.precision == Precision::kBf16 && bf16_unit() != Bf16Unit::kNone;
}

std::string kernels_of(const LoopConfig& config) {
  const std::string name = name_of(isa());
  return multiplies_bf16(config) ? name + ", bf16 " + name_of(bf16_unit()) : name;
}

double TrainingStep::accumulate(const data::Batch& batch, uint64_t stream) {
  const autograd::Bf16Guard precision(multiplies_bf16(config_));
  Tensor taught;
  if (teacher_) {
    const autograd::NoGradGuard no_grad;
    taught = teacher_->forward(Variable(batch.images), {}).value();
  }
  const layers::Context context{.training = true, .seed = seed_, .stream = stream};
  const Variable logits = model_.forward(Variable(batch.images), context);
  Variable loss = classification_loss(logits, batch.targets, class_weights_);
  if (teacher_) loss = distillation_loss(loss, logits, taught, config_.teacher);
  loss.backward(Tensor::full({}, 1.0 / static_cast<double>(config_.accumulate)));
  return *loss.value().data<float>();
}

double TrainingStep::update(double lr) {
  const double norm = optimizer_.gradient_norm();
  if (std::isfinite(norm)) {
    optimizer_.step(lr, clip_factor(norm, config_.clip_norm));
    if (ema_) ema_->update();
  }
  optimizer_.zero_grad();
  return norm;
}

}  // namespace shiftadd::train
