// An MLP of a loaded network.
#pragma once

#include "infer/linear.h"
#include "infer/stage_times.h"

namespace shiftadd::infer {

struct Mlp {
  Linear fc1, fc2;
};

/// y (rows, width) = fc2(gelu(fc1(x))) + residual; residual (rows, width) may be y, or null. x is
/// overwritten where it is quantised. hidden: (rows, hidden width); room: of (rows, hidden width)
/// codes. Where both layers multiply integers, a few rows go through both at a time, so that what
/// lies between them stays in the cache.
void run_mlp(const Mlp& mlp, float* x, int64_t rows, float* y, const float* residual, float* hidden,
             const QuantizedRoom& room, StageTimes* times);

}  // namespace shiftadd::infer
