// An MLP of integers in one kernel: a block's hidden rows never leave it. fc1's sums stay in
// registers until the row's largest magnitude is known, then they become int8 in shared memory.
#include "cuda/finish.h"
#include "cuda/product.h"
#include "cuda/tile.h"

namespace shiftadd::cuda {
namespace {

constexpr int kMlpWarps = kMlpThreads / kWarp;

/// Where a block's rows lie in shared memory. The finished tile takes the place of the input.
struct MlpStage {
  int8_t* in;
  int in_stride;
  int8_t* hidden;
  int hidden_stride;
  float* tile;
  int ld;
  float* scales;     // (kRows): of the input, then of the hidden rows
  int32_t* largest;  // (kRows): magnitudes of the hidden rows, as bits
  int32_t* rows_of;  // (kRows)
};

template <int kRows>
__device__ __forceinline__ MlpStage stage_of(unsigned char* shared, int inputs, int hidden,
                                             int outputs) {
  MlpStage stage{};
  stage.in_stride = static_cast<int>(staged_bytes(steps_of(inputs, 1) * kStepBytes));
  stage.hidden_stride = static_cast<int>(staged_bytes(steps_of(hidden, 1) * kStepBytes));
  stage.ld = outputs + kTilePadding;
  const int of_in = kRows * stage.in_stride, of_tile = kRows * stage.ld * 4;
  stage.in = reinterpret_cast<int8_t*>(shared);
  stage.tile = reinterpret_cast<float*>(shared);
  stage.hidden = reinterpret_cast<int8_t*>(shared + (of_in > of_tile ? of_in : of_tile));
  stage.scales = reinterpret_cast<float*>(stage.hidden + kRows * stage.hidden_stride);
  stage.largest = reinterpret_cast<int32_t*>(stage.scales + kRows);
  stage.rows_of = stage.largest + kRows;
  return stage;
}

template <int kRows>
__device__ __forceinline__ void load_tokens(const MlpArgs& args, const MlpStage& stage, int expert,
                                            int first, int rows) {
  for (int r = static_cast<int>(threadIdx.x); r < kRows; r += kMlpThreads) {
    const int row = r < rows ? args.experts.row(args.experts.place(expert, first + r)) : 0;
    stage.rows_of[r] = row;
    stage.largest[r] = 0;
    stage.scales[r] = r < rows ? *args.in.scale(row) : 0;
  }
  __syncthreads();
  const int pieces = (stage.in_stride - kRowPadding) / 16;
  for (int i = static_cast<int>(threadIdx.x); i < kRows * pieces; i += kMlpThreads) {
    const int r = i / pieces, at = i % pieces * 16;
    simt::cp_async16(stage.in + r * stage.in_stride + at, args.in.at(stage.rows_of[r]) + at,
                     r < rows ? 16 : 0);
  }
  simt::cp_async_commit();
  simt::cp_async_wait<0>();
  __syncthreads();
}

/// fc1 of kTiles * 16 rows: a warp's groups of 32 hidden channels, kGroups of them, stay with it.
/// Then gelu, the rows' scales, and the hidden rows as int8.
template <int kTiles, int kGroups>
__device__ __forceinline__ void hidden_rows(const WeightAt& fc1, const MlpStage& stage, int rows) {
  const int lane = lane_index(), warp = warp_index();
  const int groups = static_cast<int>(groups_of(fc1.outputs));
  const int steps = static_cast<int>(steps_of(fc1.inputs, 1));
  int32_t sum[kGroups][kTiles][4][4] = {};  // after gelu: floats
  int32_t top[kTiles][2] = {};
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int group = warp + g * kMlpWarps;
    if (group >= groups) continue;
    multiply<kTiles>(sum[g], stage.in, stage.in_stride, fc1, group, 0, steps, lane);
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int column = group * kGroupOutputs + tile_column(lane, j, half);
        const bool within = column < fc1.outputs;
        const float row_scale = within ? fc1.row_scales[column] : 0;
        const float bias = within && fc1.bias ? fc1.bias[column] : 0;
#pragma unroll
        for (int t = 0; t < kTiles; ++t)
#pragma unroll
          for (int below = 0; below < 2; ++below) {
            int32_t& element = sum[g][t][j][below * 2 + half];
            const float scale = stage.scales[t * 16 + lane / 4 + below * 8];
            const float y = within ? gelu(finish_sum(element, row_scale, scale, bias)) : 0;
            element = __float_as_int(y);
            const int32_t bits = magnitude_bits(y);
            top[t][below] = bits > top[t][below] ? bits : top[t][below];
          }
      }
  }
  // The four lanes of a row, then the warps.
#pragma unroll
  for (int t = 0; t < kTiles; ++t)
#pragma unroll
    for (int below = 0; below < 2; ++below) {
      int32_t largest = top[t][below];
#pragma unroll
      for (int step = 1; step <= 2; step *= 2) {
        const int32_t other = __shfl_xor_sync(~0U, largest, step);
        largest = other > largest ? other : largest;
      }
      const int r = t * 16 + lane / 4 + below * 8;
      if (lane % 4 == 0 && r < rows) atomicMax(stage.largest + r, largest);
    }
  __syncthreads();
#pragma unroll
  for (int t = 0; t < kTiles; ++t)
#pragma unroll
    for (int below = 0; below < 2; ++below) {
      const int r = t * 16 + lane / 4 + below * 8;
      const Quantizer quantize(scale_of_row(stage.largest[r]));
      int8_t* out = stage.hidden + r * stage.hidden_stride;
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        const int group = warp + g * kMlpWarps;
        if (group >= groups) continue;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int column = group * kGroupOutputs + tile_column(lane, j, 0);
#pragma unroll
          for (int half = 0; half < 2; ++half)
            out[column + half] =
                r < rows ? quantize(__int_as_float(sum[g][t][j][below * 2 + half])) : 0;
        }
      }
    }
  // Every warp has read the scales of the input by now.
  for (int r = static_cast<int>(threadIdx.x); r < rows; r += kMlpThreads)
    stage.scales[r] = scale_of_row(stage.largest[r]);
  __syncthreads();
}

template <int kTiles>
__device__ __forceinline__ void output_rows(const WeightAt& fc2, const MlpStage& stage, int rows) {
  const int lane = lane_index(), groups = static_cast<int>(groups_of(fc2.outputs));
  const int steps = static_cast<int>(steps_of(fc2.inputs, 1));
  for (int group = warp_index(); group < groups; group += kMlpWarps) {
    int32_t sum[kTiles][4][4] = {};
    multiply<kTiles>(sum, stage.hidden, stage.hidden_stride, fc2, group, 0, steps, lane);
#pragma unroll
    for (int t = 0; t < kTiles; ++t)
#pragma unroll
      for (int j = 0; j < 4; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int r = t * 16 + tile_row(lane, e);
          const int column = group * kGroupOutputs + tile_column(lane, j, e);
          if (r < rows && column < fc2.outputs)
            stage.tile[r * stage.ld + column] =
                finish_sum(sum[t][j][e], fc2.row_scales[column], stage.scales[r],
                           fc2.bias ? fc2.bias[column] : 0);
        }
  }
}

/// Tiles of expert 0 come first; surplus blocks have nothing to do.
template <int kTiles, int kGroups>
__device__ __forceinline__ void mlp_tile(const MlpArgs& args, unsigned char* shared) {
  constexpr int kRows = kTiles * 16;
  simt::wait_for_predecessor();
  int block = static_cast<int>(blockIdx.x), expert = 0;
  if (args.experts.order) {
    const int tiles = (args.experts.count(0) + kRows - 1) / kRows;
    expert = block >= tiles ? 1 : 0;
    block -= expert * tiles;
  }
  const int first = block * kRows, left = args.experts.count(expert) - first;
  const int rows = left < kRows ? left : kRows;
  if (rows <= 0) return;
  const WeightAt &fc1 = args.fc1[expert], &fc2 = args.fc2[expert];
  const MlpStage stage = stage_of<kRows>(shared, fc1.inputs, fc2.inputs, fc2.outputs);
  load_tokens<kRows>(args, stage, expert, first, rows);
  hidden_rows<kTiles, kGroups>(fc1, stage, rows);
  output_rows<kTiles>(fc2, stage, rows);
  simt::release_successor();
  __syncthreads();
  finish_tile(args.finish, stage.tile, stage.ld, fc2.outputs, rows, stage.rows_of, expert);
}

}  // namespace

__global__ void __launch_bounds__(kMlpThreads, 1) mlp_int8_32(const MlpArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  mlp_tile<2, kMlpHidden32 / kGroupOutputs / kMlpWarps>(args, shared);
}
__global__ void __launch_bounds__(kMlpThreads, 1) mlp_int8_16(const MlpArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  mlp_tile<1, kMlpHidden16 / kGroupOutputs / kMlpWarps>(args, shared);
}
SIMT_KERNEL(mlp_int8_32, MlpArgs);
SIMT_KERNEL(mlp_int8_16, MlpArgs);

}  // namespace shiftadd::cuda
