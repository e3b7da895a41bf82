// Cuts images into the rows that the patch embedding multiplies.
#pragma once

#include "model/model_spec.h"

namespace shiftadd::infer {

/// images (count, C, S, S) -> patches (count, (S/p)^2, C * p * p): patches in row-major order,
/// values in the order of the embedding's weight (channel, y, x).
void gather_patches(const ModelSpec& spec, const float* images, int64_t count, float* patches);

}  // namespace shiftadd::infer
