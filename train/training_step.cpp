// Adds up the losses of labels, teacher and routers, runs backward, and updates the weights.
#include "train/training_step.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "autograd/mixture.h"
#include "autograd/ops.h"
#include "core/cpu/bf16.h"
#include "core/cpu/isa.h"
#include "model/latency_report.h"
#include "train/schedule.h"

namespace shiftadd::train {

using autograd::Variable;

TrainingStep::TrainingStep(const layers::Model& model, const layers::Model* teacher,
                           Optimizer& optimizer, Ema* ema, const LoopConfig& config,
                           const RouterConfig& router, Tensor class_weights, uint64_t seed,
                           bool smooth_codes)
    : model_(model),
      teacher_(teacher),
      optimizer_(optimizer),
      ema_(ema),
      config_(config),
      router_(router),
      class_weights_(std::move(class_weights)),
      seed_(seed),
      smooth_codes_(smooth_codes) {
  const std::size_t routers = routers_of(model.network()).size();
  routed_ = routers > 0;
  if (router.balance == RouterConfig::Balance::kUniform) alphas_.assign(routers, {0.5, 0.5});
  if (router.balance != RouterConfig::Balance::kLatency) return;
  if (router.latency_file.empty()) {
    alphas_.assign(routers, autograd::latency_alpha(router.latency));
  } else if (routers > 0) {
    for (const RouterLatency& each : read_latency(router.latency_file, model.spec()).routers)
      alphas_.push_back(autograd::latency_alpha(std::array{each.mult_ms, each.shift_ms}));
  }
}

bool multiplies_bf16(const LoopConfig& config) {
  return config.precision == Precision::kBf16 && bf16_unit() != Bf16Unit::kNone;
}

std::string kernels_of(const LoopConfig& config) {
  const std::string name = name_of(isa());
  return multiplies_bf16(config) ? name + ", bf16 " + name_of(bf16_unit()) : name;
}

double TrainingStep::accumulate(const data::Batch& batch, uint64_t stream, double progress) {
  const autograd::Bf16Guard precision(multiplies_bf16(config_));
  Tensor taught;
  std::vector<Variable> tokens, teacher_tokens;
  const bool features = teacher_ && config_.teacher.features > 0;
  if (teacher_) {
    const autograd::NoGradGuard no_grad;
    layers::Context context;
    if (features) context.tokens = &teacher_tokens;
    taught = teacher_->forward(Variable(batch.images), context).value();
  }
  const double noise = router_.noise * std::max(0.0, 1 - progress / router_.noise_until);
  std::vector<autograd::Routing> routings;
  const layers::Context context{.training = true,
                                .seed = seed_,
                                .stream = stream,
                                .router_noise = noise,
                                .code_slope = smooth_codes_ ? code_slope(progress) : 0,
                                .routings = routed_ ? &routings : nullptr,
                                .traces = nullptr,
                                .tokens = features ? &tokens : nullptr};
  const Variable logits = model_.forward(Variable(batch.images), context);
  Variable loss = classification_loss(logits, batch.targets, class_weights_);
  if (teacher_) loss = distillation_loss(loss, logits, taught, config_.teacher);
  const double weight = config_.teacher.features / static_cast<double>(model_.network().depth());
  for (std::size_t i = 0; i < tokens.size(); ++i)
    loss = autograd::add(
        loss, autograd::scale(relative_error(tokens[i], teacher_tokens[i].value()), weight));
  const double value = *loss.value().data<float>();
  routers_.clear();
  for (std::size_t i = 0; i < routings.size(); ++i) {
    if (!routings[i].logits.defined()) continue;  // a fixed split has no router
    const autograd::RoutingStatistics seen = autograd::routing_statistics(routings[i]);
    RouterRecord record = {.shift_share = seen.share[1], .entropy = seen.entropy};
    if (!alphas_.empty()) {
      const autograd::BalanceLoss balance = autograd::balance_loss(routings[i], alphas_[i], noise);
      loss = autograd::add(loss, autograd::scale(balance.loss, router_.weight));
      record.alpha_shift = alphas_[i][1];
      record.importance_scv = balance.importance_scv;
      record.load_scv = balance.load_scv;
    }
    routers_.push_back(record);
  }
  loss.backward(Tensor::full({}, 1.0 / static_cast<double>(config_.accumulate)));
  return value;
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
