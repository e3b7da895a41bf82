// What follows a product in the same kernel: gate, residual, norm, quantisation and router of whole
// rows that lie in shared memory; a warp has a row at a time.
#pragma once

#include "core/kernels/shift.h"
#include "cuda/math.h"
#include "cuda/operands.h"
#include "cuda/product.h"

namespace shiftadd::cuda {
namespace {

constexpr int kWarp = 32;

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x) % kWarp; }
__device__ __forceinline__ int warp_index() { return static_cast<int>(threadIdx.x) / kWarp; }
__device__ __forceinline__ int warp_count() { return static_cast<int>(blockDim.x) / kWarp; }

/// The bits of |x|, which order as the numbers do.
__device__ __forceinline__ int32_t magnitude_bits(float x) {
  return __float_as_int(x) & 0x7fffffff;
}
/// The scale of a row of int8 numbers whose largest magnitude has these bits.
__device__ __forceinline__ float scale_of_row(int32_t largest) {
  const float magnitude = __int_as_float(largest);
  return __fdiv_rn(magnitude < 1e-12F ? 1e-12F : magnitude, 127.F);
}

/// Numbers of one row as int8: round(x / scale), half to even. By the reciprocal, which is within
/// 2e-5 of the quotient where |x / scale| <= 127: only what lies near a half is divided.
struct Quantizer {
  float scale, reciprocal, near_half;

  // Not as initialisers: nvcc shows those to the host's compiler, too, which lacks __fdiv_rn.
  __device__ __forceinline__ explicit Quantizer(float of) {
    scale = of;
    reciprocal = __fdiv_rn(1.F, of);
    near_half = 0.4999F * of;
  }
  __device__ __forceinline__ int8_t operator()(float x) const {
    constexpr float kMagic = 0x1.8p23F;  // added, it leaves no bits for a fraction
    float nearest = __fmaf_rn(x, reciprocal, kMagic) - kMagic;
    if (fabsf(__fmaf_rn(-nearest, scale, x)) > near_half) nearest = rintf(__fdiv_rn(x, scale));
    return static_cast<int8_t>(__float2int_rn(nearest));
  }
};

/// Where a finished row's mean and the inverse of its standard deviation stand: behind its numbers,
/// in the padding.
__device__ __forceinline__ float& mean_of(float* y, int width) { return y[width]; }
__device__ __forceinline__ float& rstd_of(float* y, int width) { return y[width + 1]; }

/// The mean of y, `width` numbers in shared memory, and, for now, the sum of the squares.
__device__ __forceinline__ void find_moments(float* y, int width) {
  const float mean =
      __fdiv_rn(sum_terms(width, [&](int j) { return y[j]; }), static_cast<float>(width));
  const float squares = sum_terms(width, [&](int j) {
    const float d = y[j] - mean;
    return d * d;
  });
  if (lane_index() != 0) return;
  mean_of(y, width) = mean;
  rstd_of(y, width) = squares;
}

/// The rows' inverse standard deviations, in double precision, of which most GPUs compute little at
/// a time: a thread has a row, not a warp.
__device__ __forceinline__ void find_deviations(const FinishRows& finish, float* tile, int ld,
                                                int width, int rows) {
  for (int r = static_cast<int>(threadIdx.x); r < rows; r += static_cast<int>(blockDim.x)) {
    float& rstd = rstd_of(tile + r * ld, width);
    rstd = static_cast<float>(1 / ::sqrt(static_cast<double>(rstd) / width + finish.eps));
  }
}

/// y becomes its layer norm.
__device__ __forceinline__ void normalise_row(const FinishRows& finish, float* y, int width) {
  const float mean = mean_of(y, width), rstd = rstd_of(y, width);
  for (int j = lane_index(); j < width; j += kWarp)
    y[j] = __fmaf_rn((y[j] - mean) * rstd, finish.gamma[j], finish.beta[j]);
}

/// y as int8 numbers, zeros up to the stride.
__device__ __forceinline__ void quantize_row(const float* y, int width, int8_t* out, int stride,
                                             float* scale) {
  int32_t largest = 0;
  for (int j = lane_index(); j < width; j += kWarp) {
    const int32_t bits = magnitude_bits(y[j]);
    largest = bits > largest ? bits : largest;
  }
  const Quantizer quantize(scale_of_row(__reduce_max_sync(~0U, largest)));
  for (int j = lane_index(); j < stride; j += kWarp) out[j] = j < width ? quantize(y[j]) : 0;
  if (lane_index() == 0) *scale = quantize.scale;
}

/// Row `row`, whose product is y (shared memory), of `expert`: gate and residual.
__device__ __forceinline__ void add_residual(const FinishRows& finish, float* y, int width, int row,
                                             int expert) {
  if (finish.gates) {
    const float gate = finish.gates[2 * row + expert];
    for (int j = lane_index(); j < width; j += kWarp) y[j] = y[j] * gate;
  }
  // Without a store to global memory between them, several loads are on their way at a time.
  if (finish.residual.data) {
    const float* residual = finish.residual.at(row);
#pragma unroll 4
    for (int j = lane_index(); j < width; j += kWarp) y[j] = y[j] + residual[j];
  }
  if (finish.out.data) {
    float* out = finish.out.at(row);
    for (int j = lane_index(); j < width; j += kWarp) out[j] = y[j];
  }
}

/// The same row: its norm, where there is one, and its int8 numbers.
__device__ __forceinline__ void norm_and_quantize(const FinishRows& finish, float* y, int width,
                                                  int row) {
  if (finish.gamma) {
    normalise_row(finish, y, width);
    if (finish.normed.data) {
      float* normed = finish.normed.at(row);
      for (int j = lane_index(); j < width; j += kWarp) normed[j] = y[j];
    }
  }
  if (finish.quantized.values)
    quantize_row(y, width, finish.quantized.at(row), finish.quantized.stride,
                 finish.quantized.scale(row));
}

/// Whether Shift gets the row that a router's logits are of.
__device__ __forceinline__ bool goes_to_shift(const RouteOut& route, int row, float mult,
                                              float shift) {
  if (route.shift_share >= 0) {
    const auto before = [&](int r) { return ::floor(static_cast<double>(r) * route.shift_share); };
    return before(row + 1) > before(row);
  }
  if (!route.weight) return row % route.tokens % 2 == 1;  // fixed_split_expert
  return shift > mult;
}

/// The place in its list of each lane's row that goes to `expert` (`goes`), by one addition a warp.
/// Rows come in any order, which no result depends on.
__device__ __forceinline__ int take_slot(const RouteOut& route, int expert, bool goes) {
  const unsigned going = __ballot_sync(~0U, goes);
  int first = 0;
  if (lane_index() == 0 && going)
    first = atomicAdd(route.counts + expert, static_cast<int>(__popc(going)));
  first = __shfl_sync(~0U, first, 0);
  return first + static_cast<int>(__popc(going & ((1U << lane_index()) - 1)));
}

/// What else is kept of a row's decision.
__device__ __forceinline__ void keep_choice(const RouteOut& route, int row, int expert, float mult,
                                            float shift) {
  if (route.choices)
    route.choices[static_cast<int64_t>(row / route.tokens) * route.choice_stride +
                  row % route.tokens] = static_cast<uint8_t>(expert);
  if (!route.gates) return;
  const float largest = max(mult, shift);
  const float of_mult = exp(mult - largest), of_shift = exp(shift - largest);
  const float factor = __fdiv_rn(1.F, of_mult + of_shift);
  route.gates[2 * row] = of_mult * factor;
  route.gates[2 * row + 1] = of_shift * factor;
}

/// Routes the rows of a tile in shared memory; all threads of the block take part. A logit is one
/// chain of FMAs, a thread's: two neighbours have the two of a row.
__device__ __forceinline__ void route_tile(const RouteOut& route, const float* tile, int ld,
                                           int width, int rows, const int32_t* row_of) {
  for (int first = 0; first < 2 * rows; first += static_cast<int>(blockDim.x)) {
    const int task = first + static_cast<int>(threadIdx.x), expert = task % 2;
    const int r = task / 2 < rows ? task / 2 : rows - 1;
    float logit = 0;
    if (route.weight) {
      const float *y = tile + r * ld, *w = route.weight + expert * width;
      for (int j = 0; j < width; ++j) logit = __fmaf_rn(y[j], w[j], logit);
      logit = logit + route.bias[expert];
    }
    const float other = __shfl_xor_sync(~0U, logit, 1);
    // The first of the two neighbours has both.
    const bool decides = task < 2 * rows && expert == 0;
    const int row = row_of[r];
    const bool to_shift = goes_to_shift(route, row, logit, other);
    const int of_mult = take_slot(route, 0, decides && !to_shift);
    const int of_shift = take_slot(route, 1, decides && to_shift);
    if (!decides) continue;
    route.order[to_shift ? route.rows - 1 - of_shift : of_mult] = row;
    keep_choice(route, row, to_shift ? 1 : 0, logit, other);
  }
}

/// Ends the first `rows` rows of a tile (leading dimension ld, kTilePadding more than the width at
/// least) whose products all warps have written: row r is row row_of[r] (shared memory, too) of the
/// buffers. All threads of the block take part.
__device__ __forceinline__ void finish_tile(const FinishRows& finish, float* tile, int ld,
                                            int width, int rows, const int32_t* row_of,
                                            int expert) {
  for (int r = warp_index(); r < rows; r += warp_count()) {
    add_residual(finish, tile + r * ld, width, row_of[r], expert);
    if (finish.gamma) find_moments(tile + r * ld, width);
  }
  if (finish.gamma) {
    __syncthreads();
    find_deviations(finish, tile, ld, width, rows);
    __syncthreads();
  }
  for (int r = warp_index(); r < rows; r += warp_count())
    norm_and_quantize(finish, tile + r * ld, width, row_of[r]);
  if (!finish.route.order) return;
  __syncthreads();
  route_tile(finish.route, tile, ld, width, rows, row_of);
}

/// Of the whole grid, by each of its blocks.
__device__ __forceinline__ void begin_forward(const StartOfForward& start, int outputs) {
  const auto block = static_cast<int>(blockIdx.x + gridDim.x * blockIdx.y);
  const auto blocks = static_cast<int>(gridDim.x * gridDim.y);
  const auto thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  if (block == 0)
    for (int i = thread; i < start.count_of_counts; i += threads) start.counts[i] = 0;
  const int values = start.prefix_rows * outputs;
  const int64_t all = static_cast<int64_t>(start.images) * values;
  for (int64_t i = static_cast<int64_t>(block) * threads + thread; i < all;
       i += static_cast<int64_t>(blocks) * threads)
    start.out[i / values * start.image_rows * outputs + i % values] = start.prefix[i % values];
}

}  // namespace
}  // namespace shiftadd::cuda
