// A warp's part of a product on tensor cores: 16 or 32 rows times 32 outputs of a weight whose
// fragments are read from global memory in the order in which the instruction wants them.
#pragma once

#include <type_traits>

#include "cuda/fragments.h"
#include "cuda/math.h"
#include "cuda/operands.h"

namespace shiftadd::cuda {
namespace {

/// Which number of a 16 x 32 tile element `e` of part j of a lane's sums is.
__device__ __forceinline__ int tile_row(int lane, int e) { return lane / 4 + e / 2 * 8; }
__device__ __forceinline__ int tile_column(int lane, int j, int e) {
  return j * 8 + lane % 4 * 2 + e % 2;
}

/// Eight 4-bit codes (core/kernels/int8.h) to int8: the first four and the last four. A code's low
/// three bits look up its magnitude, as it is and negated; its sign, spread over a byte, chooses.
__device__ __forceinline__ void expand_nibbles(uint32_t codes, uint32_t (&bytes)[2]) {
  const uint32_t magnitudes = codes & 0x77777777U, even = codes << 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint32_t selector = magnitudes >> (16 * half);
    const uint32_t plus = simt::prmt(0x04020100U, 0x40201008U, selector);
    const uint32_t minus = simt::prmt(0xFCFEFF00U, 0xC0E0F0F8U, selector);
    const uint32_t negative = simt::prmt(codes, even, half == 0 ? 0x9D8CU : 0xBFAEU);
    bytes[half] = (minus & negative) | (plus & ~negative);
  }
}

/// The rows of 16 x 32 bytes at `rows` (shared memory, `stride` bytes apart), a step's.
__device__ __forceinline__ void load_rows(uint32_t (&a)[4], const int8_t* rows, int stride,
                                          int lane) {
  simt::ldmatrix_x4(a, rows + lane % 16 * stride + lane / 16 * 16);
}

/// sum += rows (kRowTiles * 16, steps * 32) times outputs [32 group, 32 group + 32) of the weight,
/// over the weight's steps from `first` on.
template <int kRowTiles>
__device__ __forceinline__ void multiply_nibbles(int32_t (&sum)[kRowTiles][4][4],
                                                 const int8_t* rows, int stride,
                                                 const WeightAt& weight, int group, int first,
                                                 int steps, int lane) {
  const uint4* words = static_cast<const uint4*>(weight.data) +
                       (static_cast<int64_t>(group) * steps_of(weight.inputs, 1) + first) * 32;
  for (int step = 0; step < steps; ++step) {
    uint32_t a[kRowTiles][4];
#pragma unroll
    for (int t = 0; t < kRowTiles; ++t)
      load_rows(a[t], rows + t * 16 * stride + step * kStepBytes, stride, lane);
    const uint4 four = words[step * 32 + lane];
    const uint32_t word[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      uint32_t b[2];
      expand_nibbles(word[j], b);
#pragma unroll
      for (int t = 0; t < kRowTiles; ++t) simt::mma_s8(sum[t][j], a[t], b);
    }
  }
}

__device__ __forceinline__ void multiply_add(int32_t (&sum)[4], const uint32_t (&a)[4],
                                             const uint32_t (&b)[2]) {
  simt::mma_s8(sum, a, b);
}
__device__ __forceinline__ void multiply_add(float (&sum)[4], const uint32_t (&a)[4],
                                             const uint32_t (&b)[2]) {
  simt::mma_bf16(sum, a, b);
}

/// The same for int8 (sums of int32) and bf16 numbers (of float).
template <int kRowTiles, class Sum>
__device__ __forceinline__ void multiply_whole(Sum (&sum)[kRowTiles][4][4], const int8_t* rows,
                                               int stride, const WeightAt& weight, int group,
                                               int first, int steps, int lane) {
  constexpr int kBytes = std::is_same_v<Sum, float> ? 2 : 1;  // of a number
  const int64_t all = steps_of(weight.inputs, kBytes);
  const uint4* words =
      static_cast<const uint4*>(weight.data) + (static_cast<int64_t>(group) * all + first) * 64;
  for (int step = 0; step < steps; ++step) {
    uint32_t a[kRowTiles][4];
#pragma unroll
    for (int t = 0; t < kRowTiles; ++t)
      load_rows(a[t], rows + t * 16 * stride + step * kStepBytes, stride, lane);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint4 four = words[(step * 2 + half) * 32 + lane];
      const uint32_t b[2][2] = {{four.x, four.y}, {four.z, four.w}};
#pragma unroll
      for (int j = 0; j < 2; ++j)
#pragma unroll
        for (int t = 0; t < kRowTiles; ++t) multiply_add(sum[t][half * 2 + j], a[t], b[j]);
    }
  }
}

template <int kRowTiles>
__device__ __forceinline__ void multiply(int32_t (&sum)[kRowTiles][4][4], const int8_t* rows,
                                         int stride, const WeightAt& weight, int group, int first,
                                         int steps, int lane) {
  if (weight.kind == WeightKind::kNibbles)
    multiply_nibbles<kRowTiles>(sum, rows, stride, weight, group, first, steps, lane);
  else
    multiply_whole<kRowTiles>(sum, rows, stride, weight, group, first, steps, lane);
}
template <int kRowTiles>
__device__ __forceinline__ void multiply(float (&sum)[kRowTiles][4][4], const int8_t* rows,
                                         int stride, const WeightAt& weight, int group, int first,
                                         int steps, int lane) {
  multiply_whole<kRowTiles>(sum, rows, stride, weight, group, first, steps, lane);
}

/// A product's sum as a float: of integers with its row's and its token's scale, the sum times the
/// first rounded, then one rounding with the second and the bias, as Int8GemmArgs has it.
__device__ __forceinline__ float finish_sum(int32_t sum, float row_scale, float scale, float bias) {
  return __fmaf_rn(__fmul_rn(__int2float_rn(sum), row_scale), scale, bias);
}

}  // namespace
}  // namespace shiftadd::cuda
