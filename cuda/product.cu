// Products on tensor cores: whole rows of inputs lie in shared memory, or chunks of long ones;
// weights come from global memory in fragment order.
#include "cuda/finish.h"
#include "cuda/product.h"
#include "cuda/tile.h"

namespace shiftadd::cuda {
namespace {

constexpr int kGroupsOfTile = kProductOutputs / kGroupOutputs;

/// A block's rows in shared memory, and which they are.
struct Stage {
  int8_t* values;    // (kRows, stride)
  int stride;        // bytes
  float* scales;     // (kRows)
  int32_t* read;     // (kRows): rows of the input
  int32_t* written;  // (kRows): rows of the output
  float* tile;       // of project: (kRows, outputs + kTilePadding)
};
/// For rows of which `bytes` bytes lie there at a time.
template <int kRows>
__device__ __forceinline__ Stage stage_of(unsigned char* shared, int bytes) {
  Stage stage{};
  stage.stride = static_cast<int>(staged_bytes(bytes));
  stage.values = reinterpret_cast<int8_t*>(shared);
  stage.scales = reinterpret_cast<float*>(shared + kRows * stage.stride);
  stage.read = reinterpret_cast<int32_t*>(stage.scales + kRows);
  stage.written = stage.read + kRows;
  stage.tile = reinterpret_cast<float*>(stage.written + kRows);
  return stage;
}

/// Which rows the tile has that begins at the expert's row `first`.
__device__ __forceinline__ void find_rows(const ProductArgs& args, const Stage& stage, int first,
                                          int rows) {
  for (int r = static_cast<int>(threadIdx.x); r < rows; r += static_cast<int>(blockDim.x)) {
    const int place = args.experts.place(args.expert, first + r), row = args.experts.row(place);
    stage.read[r] = args.gathers ? row : place;
    stage.written[r] = args.scatters ? row : place;
  }
}

/// A row of the input: number j of it.
struct FloatRow {
  const float* numbers;

  __device__ __forceinline__ float operator()(int j) const { return numbers[j]; }
};
struct PatchRow {
  const PatchesAt& patches;
  int64_t first;

  __device__ __forceinline__ float operator()(int j) const {
    const PatchNumber number = patches.numbers[j];
    if (patches.pixels)
      return patches.levels[number.levels + patches.pixels[first + number.at]];
    return patches.planes[first + number.at];
  }
};

/// Bytes [first, first + bytes) of each row of int8 numbers, asynchronously; zeros beyond the last.
template <int kRows>
__device__ __forceinline__ void copy_rows(const QuantizedIn& in, const Stage& stage, int rows,
                                          int first, int bytes) {
  const int pieces = bytes / 16;
  for (int i = static_cast<int>(threadIdx.x); i < kRows * pieces;
       i += static_cast<int>(blockDim.x)) {
    const int r = i / pieces, at = i % pieces * 16;
    const int8_t* from = in.at(stage.read[r < rows ? r : 0]) + first + at;
    simt::cp_async16(stage.values + r * stage.stride + at, from, r < rows ? 16 : 0);
  }
  if (first == 0)
    for (int r = static_cast<int>(threadIdx.x); r < rows; r += static_cast<int>(blockDim.x))
      stage.scales[r] = *in.scale(stage.read[r]);
  simt::cp_async_commit();
  simt::cp_async_wait<0>();
}

/// The numbers of row_of(row), `width` of them, as int8: bytes [first, first + bytes) of each row. A
/// warp has a row; its scale is found before its first bytes.
template <int kRows, class RowOf>
__device__ __forceinline__ void quantize_rows(const Stage& stage, int rows, int width, int first,
                                              int bytes, RowOf row_of) {
  for (int r = warp_index(); r < kRows; r += warp_count()) {
    int8_t* out = stage.values + r * stage.stride;
    if (r >= rows) {
      for (int j = lane_index(); j < bytes; j += kWarp) out[j] = 0;
      continue;
    }
    const auto row = row_of(stage.read[r]);
    if (first == 0) {
      int32_t largest = 0;
#pragma unroll 4
      for (int j = lane_index(); j < width; j += kWarp) {
        const int32_t bits = magnitude_bits(row(j));
        largest = bits > largest ? bits : largest;
      }
      const float scale = scale_of_row(__reduce_max_sync(~0U, largest));
      if (lane_index() == 0) stage.scales[r] = scale;
      __syncwarp();
    }
    const Quantizer quantize(stage.scales[r]);
#pragma unroll 2
    for (int j = lane_index(); j < bytes; j += kWarp)
      out[j] = first + j < width ? quantize(row(first + j)) : 0;
  }
}

/// The same as bf16 numbers.
template <int kRows, class RowOf>
__device__ __forceinline__ void round_rows(const Stage& stage, int rows, int width, int first,
                                           int bytes, RowOf row_of) {
  for (int r = warp_index(); r < kRows; r += warp_count()) {
    auto* pairs = reinterpret_cast<uint32_t*>(stage.values + r * stage.stride);
    const auto row = row_of(stage.read[r < rows ? r : 0]);
    const int numbers = r < rows ? width : 0;
    const auto number = [&](int column) { return column < numbers ? row(column) : 0.0F; };
#pragma unroll 2
    for (int j = lane_index(); j < bytes / 4; j += kWarp) {
      const int column = first / 2 + 2 * j;
      pairs[j] = simt::bf16x2(number(column), number(column + 1));
    }
  }
}

template <int kRows, class Sum>
__device__ __forceinline__ void fill(const ProductArgs& args, const Stage& stage, int rows,
                                     int first, int bytes) {
  const auto convert = [&](auto row_of) {
    const int width = args.weight.inputs;
    if constexpr (std::is_same_v<Sum, float>)
      round_rows<kRows>(stage, rows, width, first, bytes, row_of);
    else
      quantize_rows<kRows>(stage, rows, width, first, bytes, row_of);
  };
  if constexpr (!std::is_same_v<Sum, float>)
    if (args.in.quantized.values)
      return copy_rows<kRows>(args.in.quantized, stage, rows, first, bytes);
  if (args.in.patches.defined())
    convert([&](int row) { return PatchRow{args.in.patches, args.in.patches.first(row)}; });
  else
    convert([&](int row) { return FloatRow{args.in.floats.at(row)}; });
}

__device__ __forceinline__ float bias_of(const WeightAt& weight, int column) {
  return weight.bias && column < weight.outputs ? weight.bias[column] : 0;
}

/// act(sum) of a tile's element, before gate and residual.
__device__ __forceinline__ float activate(const ProductArgs& args, float x) {
  return args.activation == Activation::kGelu ? gelu(x) : x;
}
__device__ __forceinline__ float scaled(const WeightAt& weight, int32_t sum, float scale,
                                        int column) {
  return finish_sum(sum, weight.row_scales[column], scale, bias_of(weight, column));
}
__device__ __forceinline__ float scaled(const WeightAt& weight, float sum, float, int column) {
  return sum + bias_of(weight, column);
}

/// Row by row, body(row of the tile, write) for the elements that a lane has of 32 rows x 32
/// outputs: write(put) calls put(column, value) for those of the row.
template <class Sum, class Body>
__device__ __forceinline__ void for_rows(const ProductArgs& args, const Stage& stage,
                                         const Sum (&sum)[2][4][4], int first_row, int group,
                                         int rows, Body body) {
  const int lane = lane_index();
#pragma unroll
  for (int t = 0; t < 2; ++t)
#pragma unroll
    for (int below = 0; below < 2; ++below) {
      const int r = first_row + t * 16 + tile_row(lane, 2 * below);
      if (r >= rows) continue;
      const float scale = stage.scales[r];
      body(r, [&](auto put) {
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
          for (int e = 2 * below; e < 2 * below + 2; ++e) {
            const int column = group * kGroupOutputs + tile_column(lane, j, e);
            if (column < args.weight.outputs)
              put(column, activate(args, scaled(args.weight, sum[t][j][e], scale, column)));
          }
      });
    }
}

/// Bytes of a row of the input, whole steps.
template <class Sum>
__device__ __forceinline__ int row_bytes_of(const WeightAt& weight) {
  constexpr int kBytes = std::is_same_v<Sum, float> ? 2 : 1;  // bf16, int8
  return static_cast<int>(steps_of(weight.inputs, kBytes)) * kStepBytes;
}

/// A tile of kRows rows by 64 outputs; a warp has 32 x 32 of it.
template <int kRows, class Sum>
__device__ __forceinline__ void product_tile(const ProductArgs& args, unsigned char* shared) {
  simt::wait_for_predecessor();
  begin_forward(args.start, args.weight.outputs);
  const int first = static_cast<int>(blockIdx.x) * kRows;
  const int left = args.experts.count(args.expert) - first, rows = left < kRows ? left : kRows;
  if (rows <= 0) return;  // the whole block: an expert has fewer rows than there are
  const int row_bytes = row_bytes_of<Sum>(args.weight);
  const Stage stage = stage_of<kRows>(shared, chunk_of(row_bytes));
  find_rows(args, stage, first, rows);
  __syncthreads();
  const int lane = lane_index(), warp = warp_index(), half = warp / kGroupsOfTile;
  const int group = static_cast<int>(blockIdx.y) * kGroupsOfTile + warp % kGroupsOfTile;
  const bool outside = group * kGroupOutputs >= args.weight.outputs;
  Sum sum[2][4][4] = {};
  for (int at = 0; at < row_bytes; at += kProductChunk) {
    const int bytes = chunk_of(row_bytes - at);
    if (at > 0) __syncthreads();  // everyone has read the chunk before
    fill<kRows, Sum>(args, stage, rows, at, bytes);
    __syncthreads();
    if (!outside)
      multiply<2>(sum, stage.values + half * 32 * stage.stride, stage.stride, args.weight, group,
                  at / kStepBytes, bytes / kStepBytes, lane);
  }
  simt::release_successor();
  if (outside) return;
  const FinishRows& finish = args.finish;
  for_rows(args, stage, sum, half * 32, group, rows, [&](int r, auto write) {
    const int row = stage.written[r];
    const float gate = finish.gates ? finish.gates[2 * row + args.expert] : 1;
    const float* residual = finish.residual.data ? finish.residual.at(row) : nullptr;
    float* out = finish.out.at(row);
    write([&](int column, float x) {
      if (finish.gates) x = x * gate;
      if (residual) x = x + residual[column];
      out[column] = x;
    });
  });
}

/// A tile of kRows whole rows: 32 x 32 pieces of it go round the warps, then rows.
template <int kRows>
__device__ __forceinline__ void project_tile(const ProductArgs& args, unsigned char* shared) {
  simt::wait_for_predecessor();
  begin_forward(args.start, args.weight.outputs);
  const int first = static_cast<int>(blockIdx.x) * kRows;
  const int left = args.experts.count(args.expert) - first, rows = left < kRows ? left : kRows;
  if (rows <= 0) return;
  const int width = args.weight.outputs, ld = width + kTilePadding, lane = lane_index();
  const int row_bytes = row_bytes_of<int32_t>(args.weight);
  const Stage stage = stage_of<kRows>(shared, row_bytes);
  find_rows(args, stage, first, rows);
  __syncthreads();
  fill<kRows, int32_t>(args, stage, rows, 0, row_bytes);
  __syncthreads();
  const int groups = static_cast<int>(groups_of(width)), pieces = groups * (kRows / 32);
  for (int piece = warp_index(); piece < pieces; piece += warp_count()) {
    const int half = piece / groups, group = piece % groups;
    int32_t sum[2][4][4] = {};
    multiply<2>(sum, stage.values + half * 32 * stage.stride, stage.stride, args.weight, group, 0,
                row_bytes / kStepBytes, lane);
    for_rows(args, stage, sum, half * 32, group, rows, [&](int r, auto write) {
      write([&](int column, float x) { stage.tile[r * ld + column] = x; });
    });
  }
  simt::release_successor();
  __syncthreads();
  finish_tile(args.finish, stage.tile, ld, width, rows, stage.written, args.expert);
}

}  // namespace

__global__ void __launch_bounds__(128, 1) product_int8_64(const ProductArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  product_tile<64, int32_t>(args, shared);
}
__global__ void __launch_bounds__(64, 1) product_int8_32(const ProductArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  product_tile<32, int32_t>(args, shared);
}
__global__ void __launch_bounds__(128, 1) product_bf16_64(const ProductArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  product_tile<64, float>(args, shared);
}
__global__ void __launch_bounds__(64, 1) product_bf16_32(const ProductArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  product_tile<32, float>(args, shared);
}
__global__ void __launch_bounds__(kProjectThreads, 1) project_int8_64(const ProductArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  project_tile<64>(args, shared);
}
__global__ void __launch_bounds__(kProjectThreads, 1) project_int8_32(const ProductArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  project_tile<32>(args, shared);
}
SIMT_KERNEL(product_int8_64, ProductArgs);
SIMT_KERNEL(product_int8_32, ProductArgs);
SIMT_KERNEL(product_bf16_64, ProductArgs);
SIMT_KERNEL(product_bf16_32, ProductArgs);
SIMT_KERNEL(project_int8_64, ProductArgs);
SIMT_KERNEL(project_int8_32, ProductArgs);

}  // namespace shiftadd::cuda
