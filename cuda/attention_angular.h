// How linear-angular attention ends: rows of the output from q (k^T v), with the bits of the CPU's
// finish_row (core/cpu/simd/linear_angular.h).
#pragma once

#include "cuda/attention_tiles.h"

namespace shiftadd::cuda {
namespace {

constexpr float kUnitEps = 1e-12F;  // inside the root of a norm

/// The taps of a depthwise filter that lie on the grid, seen from one row: runs of `taps` taps, the
/// first at tap `tap` on row `row`; the next run is a filter row and a grid row on.
struct Reach {
  int runs = 0, taps = 0, tap = 0, row = 0;

  __device__ __forceinline__ Reach(const LocalShape& s, int n) {
    const int grid_h = static_cast<int>(s.grid_h), grid_w = static_cast<int>(s.grid_w);
    const int kernel_h = static_cast<int>(s.kernel_h), kernel_w = static_cast<int>(s.kernel_w);
    const int first = static_cast<int>(s.first), pixel = n - first;
    if (pixel < 0) return;
    const int y = grid_h == 1 ? 0 : pixel / grid_w, x = pixel - y * grid_w;
    const int top = y - kernel_h / 2, left = x - kernel_w / 2;
    const int i0 = top < 0 ? -top : 0, j0 = left < 0 ? -left : 0;
    runs = lesser(grid_h - top, kernel_h) - i0;
    taps = lesser(grid_w - left, kernel_w) - j0;
    tap = i0 * kernel_w + j0;
    row = first + (top + i0) * grid_w + left + j0;
  }
};

/// Column `column` of the filter's answer, in units of the values' scale: two chains over the taps
/// of a run, as the CPU has them.
template <class Block>
__device__ __forceinline__ float filter_sum(const Block& block, const Reach& reach,
                                            const float* weight, int column) {
  const LocalShape& s = block.args.local;
  float even = 0, odd = 0;
  for (int run = 0; run < reach.runs; ++run) {
    const float* w = weight + reach.tap + run * static_cast<int>(s.kernel_w);
    const int row = reach.row + run * static_cast<int>(s.grid_w);
    const int taps = lesser(block.head.v.count - row, reach.taps);
    for (int tap = 0; tap < taps; ++tap) {
      float& chain = tap % 2 == 0 ? even : odd;
      chain = fma(w[tap], block.value(row + tap, column), chain);
    }
  }
  return even + odd;
}

/// Row `row` of the output from its products with k^T v, by a warp. The block has args, head, scale
/// and value(row, column).
template <int kWidth, class Block>
__device__ __forceinline__ void finish_row(const Block& block, int row, const float* products) {
  constexpr int kParts = kWidth / 32;
  const AttendArgs& args = block.args;
  const int width = block.head.v.width;
  float numbers[kParts], chain = 0;
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    const int column = part * 32 + lane_index();
    numbers[part] = 0;
    if (column >= width) continue;
    numbers[part] = fma(args.factor, products[column], 0.5F * block.value(row, column));
    chain += numbers[part] * numbers[part];
  }
  const float squares = sum_chains(chain), scale = block.scale;
  const float length = __fdiv_rn(scale, __fsqrt_rn(scale * scale * squares + kUnitEps));
  float* out = block.head.out + row * block.head.out_stride;
  if (!args.local_weight) {
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const int column = part * 32 + lane_index();
      if (column < width) out[column] = numbers[part] * length;
    }
    return;
  }
  const LocalShape& s = args.local;
  const Reach reach(s, row);
  const float* weight = args.local_weight + block.head.head * s.kernel_h * s.kernel_w;
#pragma unroll
  for (int part = 0; part < kParts; ++part) {
    const int column = part * 32 + lane_index();
    if (column < width)
      out[column] = fma(numbers[part], length, filter_sum(block, reach, weight, column) * scale);
  }
}

}  // namespace
}  // namespace shiftadd::cuda
