// The learning rate as a function of training progress.
#pragma once

#include "train/config.h"

namespace shiftadd::train {

/// Learning rate at `epoch`, which may be fractional: the trainer asks at every step, with epoch =
/// epochs done + steps of this epoch / steps per epoch. At whole epochs it equals the per-epoch
/// schedules of the field (timm's with t_in_epochs):
///   epoch < warmup:  warmup_lr + epoch (lr - warmup_lr) / warmup
///   cosine:          min_lr + (lr - min_lr) (1 + cos(pi epoch / epochs)) / 2   (Loshchilov and
///   Hutter 2017) step:            lr step_factor^floor(epoch / step_epochs) constant:        lr
/// The warm-up is part of `epochs`, it does not shift the curve after it.
double learning_rate(const ScheduleConfig& schedule, double lr, int64_t epochs, double epoch);

/// The slope of smooth codes (autograd::smooth_codes) when a share `progress` of the training
/// is done: from 1 to 5, geometrically, so that the gradient comes ever nearer to a sign's.
double code_slope(double progress);

}  // namespace shiftadd::train
