// Float32 products, each output one chain of FMAs over the inputs as the CPU has it; and rows that
// are finished without a product before.
#include "cuda/finish.h"
#include "cuda/product.h"

namespace shiftadd::cuda {
namespace {

constexpr int kDepth = 16;              // inputs in shared memory at a time
constexpr int kEach = kFloatTile / 16;  // rows and outputs of a thread

/// The input's rows: floats, or int8 numbers whose scale is in the epilogue. Where a row begins, and
/// a number by its place.
__device__ __forceinline__ int64_t begin_of(const ProductIn& in, int row) {
  return in.quantized.values ? in.quantized.rows.index(row) * in.quantized.stride
                             : in.floats.rows.index(row) * in.floats.stride;
}
__device__ __forceinline__ float input_at(const ProductIn& in, int64_t place) {
  return in.quantized.values ? static_cast<float>(in.quantized.values[place])
                             : in.floats.data[place];
}

__device__ __forceinline__ void write(const ProductArgs& args, int row_read, int row, int column,
                                      float x) {
  const float bias = args.weight.bias ? args.weight.bias[column] : 0;
  const FinishRows& finish = args.finish;
  x = args.in.quantized.values ? __fmaf_rn(x, *args.in.quantized.scale(row_read), bias) : x + bias;
  if (args.activation == Activation::kGelu) x = gelu(x);
  if (finish.gates) x = x * finish.gates[2 * row + args.expert];
  if (finish.residual.data) x = x + finish.residual.at(row)[column];
  finish.out.at(row)[column] = x;
}

}  // namespace

__global__ void __launch_bounds__(kFloatThreads, 1) product_float32(const ProductArgs args) {
  SIMT_SHARED(float, rows_in, [kDepth][kFloatTile + 1]);
  SIMT_SHARED(float, weights, [kDepth][kFloatTile + 1]);
  SIMT_SHARED(int64_t, begins, [kFloatTile]);
  SIMT_SHARED(int32_t, read, [kFloatTile]);
  SIMT_SHARED(int32_t, written, [kFloatTile]);
  simt::wait_for_predecessor();
  begin_forward(args.start, args.weight.outputs);
  const int thread = static_cast<int>(threadIdx.x), tx = thread % 16, ty = thread / 16;
  const int first = static_cast<int>(blockIdx.x) * kFloatTile;
  const int left = args.experts.count(args.expert) - first,
            rows = left < kFloatTile ? left : kFloatTile;
  if (rows <= 0) return;  // the whole block: an expert has fewer rows than there are
  const int column0 = static_cast<int>(blockIdx.y) * kFloatTile;
  const int inputs = args.weight.inputs, outputs = args.weight.outputs;
  const auto* weight = static_cast<const float*>(args.weight.data);
  if (thread < rows) {
    const int place = args.experts.place(args.expert, first + thread);
    const int row = args.experts.row(place);
    read[thread] = args.gathers ? row : place;
    written[thread] = args.scatters ? row : place;
    begins[thread] = begin_of(args.in, read[thread]);
  }
  __syncthreads();
  float sum[kEach][kEach] = {};
  for (int depth = 0; depth < inputs; depth += kDepth) {
    for (int i = thread; i < kFloatTile * kDepth; i += kFloatThreads) {
      const int at = i / kDepth, j = i % kDepth;
      const bool within = depth + j < inputs;
      rows_in[j][at] = within && at < rows ? input_at(args.in, begins[at] + depth + j) : 0;
      weights[j][at] = within && column0 + at < outputs
                           ? weight[static_cast<int64_t>(column0 + at) * inputs + depth + j]
                           : 0;
    }
    __syncthreads();
    const int here = inputs - depth < kDepth ? inputs - depth : kDepth;
    for (int j = 0; j < here; ++j) {
      float a[kEach], b[kEach];
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        a[i] = rows_in[j][ty + 16 * i];
        b[i] = weights[j][tx + 16 * i];
      }
#pragma unroll
      for (int i = 0; i < kEach; ++i)
#pragma unroll
        for (int k = 0; k < kEach; ++k) sum[i][k] = __fmaf_rn(a[i], b[k], sum[i][k]);
    }
    __syncthreads();
  }
  simt::release_successor();
#pragma unroll
  for (int i = 0; i < kEach; ++i)
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      const int r = ty + 16 * i, column = column0 + tx + 16 * k;
      if (r < rows && column < outputs) write(args, read[r], written[r], column, sum[i][k]);
    }
}
SIMT_KERNEL(product_float32, ProductArgs);

__global__ void __launch_bounds__(kFinishRows* kWarp, 1) finish(const FinishArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  simt::wait_for_predecessor();
  float* tile = reinterpret_cast<float*>(shared);
  const int ld = args.width + kTilePadding;
  const int most = warp_count();
  auto* row_of = reinterpret_cast<int32_t*>(tile + most * ld);
  const int first = static_cast<int>(blockIdx.x) * most;
  const int left = args.rows - first, rows = left < most ? left : most;
  for (int r = warp_index(); r < rows; r += warp_count()) {
    if (lane_index() == 0) row_of[r] = first + r;
    for (int j = lane_index(); j < args.width; j += kWarp)
      tile[r * ld + j] = args.in.at(first + r)[j];
  }
  __syncthreads();
  simt::release_successor();
  finish_tile(args.finish, tile, ld, args.width, rows, row_of, 0);
}
SIMT_KERNEL(finish, FinishArgs);

}  // namespace shiftadd::cuda
