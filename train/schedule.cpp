// Computes the rate: warm-up, then cosine, steps or nothing.
#include "train/schedule.h"

#include <cmath>
#include <numbers>

namespace shiftadd::train {

double learning_rate(const ScheduleConfig& schedule, double lr, int64_t epochs, double epoch) {
  if (epoch < schedule.warmup_epochs)
    return schedule.warmup_lr + epoch * (lr - schedule.warmup_lr) / schedule.warmup_epochs;
  switch (schedule.kind) {
    case ScheduleConfig::Kind::kCosine: {
      const double angle = std::numbers::pi * epoch / static_cast<double>(epochs);
      return schedule.min_lr + 0.5 * (lr - schedule.min_lr) * (1 + std::cos(angle));
    }
    case ScheduleConfig::Kind::kStep:
      return lr * std::pow(schedule.step_factor, std::floor(epoch / schedule.step_epochs));
    case ScheduleConfig::Kind::kConstant:
      break;
  }
  return lr;
}

double code_slope(double progress) {
  constexpr double kSteepest = 5;
  return std::pow(kSteepest, progress);
}

}  // namespace shiftadd::train
