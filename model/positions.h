// Positions learned for one grid of patches, made to fit another.
#pragma once

#include "core/grid.h"
#include "core/tensor.h"
#include "model/model_spec.h"

namespace shiftadd {

/// positions (1, prefix + from.count(), C) of any float type -> (1, prefix + to.count(), C)
/// float32. The first `prefix` rows are kept; the others, row by row of the grid, are interpolated
/// as PyTorch's interpolate(mode="bicubic", align_corners=False) does: by size for plain and
/// antialias, by the factor (side + 0.1) / old side for offset, which is not the identity even
/// where the grids are equal. Throws Error (failure) for another shape.
Tensor resize_positions(const Tensor& positions, int64_t prefix, Grid from, Grid to,
                        PositionResize how);
/// The positions of `from` among its weights, made those of `to`, as to.position_resize says: of
/// networks that differ in the size of their images at most. Throws Error (user) naming positions
/// that are not there or have another shape.
void resize_positions(const ModelSpec& from, const ModelSpec& to, NamedTensors& weights);

}  // namespace shiftadd
