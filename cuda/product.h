// Matrix products with what comes before them (patches, quantisation) and after them (activation,
// residual, norm, quantisation, router): the arguments and the sizes of their kernels.
#pragma once

#include <cstddef>

#include "cuda/fragments.h"
#include "cuda/operands.h"
#include "cuda/simt/kernel.h"

namespace shiftadd::cuda {

/// Rows in shared memory are this many bytes longer than their numbers, an odd multiple of 16: the
/// eight rows that ldmatrix reads at once then lie in different banks.
inline constexpr int kRowPadding = 16;
/// Floats between two finished rows there, beside their numbers: rows begin four banks apart.
inline constexpr int kTilePadding = 4;

/// The numbers of rows of `row_bytes` bytes (whole steps), padded.
constexpr int64_t staged_bytes(int64_t row_bytes) { return row_bytes + kRowPadding; }

/// Blocks of `each` for `of` things.
constexpr unsigned blocks_of(int64_t of, int64_t each) {
  return static_cast<unsigned>((of + each - 1) / each);
}

// Rows are a grid's x, which may be 2^31 blocks; y may be 65535.

// --- product_int8_64, product_int8_32, product_bf16_64, product_bf16_32: tiles of 64 or 32 rows by
// 64 outputs on tensor cores

/// What the first product of a forward pass does besides: it sets the counts of all routers to 0
/// and writes the rows that stand before each image's patches.
struct StartOfForward {
  int32_t* counts = nullptr;
  int32_t count_of_counts = 0;
  const float* prefix = nullptr;  // (prefix_rows, outputs of the product), or null
  int32_t prefix_rows = 0, images = 0;
  float* out = nullptr;  // row r of image i at (i * image_rows + r) * outputs
  int32_t image_rows = 0;
};

/// Row i of the product, of an expert's rows: it stands at a place of the order, and with `gathers`
/// the row that is named there is read, with `scatters` it is written; else that of the place.
struct ProductArgs {
  ProductIn in;
  WeightAt weight;
  ExpertRows experts;
  int32_t expert = 0;
  bool gathers = false, scatters = false;
  Activation activation = Activation::kNone;
  FinishRows finish;  // of kernels that do not see whole rows: gates, residual and out
  StartOfForward start;
};
inline constexpr int kProductOutputs = 64;
/// Bytes of a row that lie in shared memory at a time, and how many that is of those left.
inline constexpr int kProductChunk = 1024;
constexpr int chunk_of(int64_t bytes) {
  return bytes < kProductChunk ? static_cast<int>(bytes) : kProductChunk;
}
/// For inputs of `row_bytes` bytes a row.
constexpr simt::Shape product_shape(int tile_rows, int64_t rows, int64_t outputs,
                                    int64_t row_bytes) {
  return {.grid_x = blocks_of(rows, tile_rows),
          .grid_y = blocks_of(outputs, kProductOutputs),
          .block_x = static_cast<unsigned>(tile_rows * 2),
          .shared_bytes =
              static_cast<std::size_t>(tile_rows * (staged_bytes(chunk_of(row_bytes)) + 3 * 4))};
}

// --- project_int8_64, project_int8_32: whole rows of integer products, finished
inline constexpr int kProjectThreads = 256;
constexpr std::size_t project_shared(int tile_rows, int64_t row_bytes, int64_t outputs) {
  return static_cast<std::size_t>(tile_rows *
                                  (staged_bytes(row_bytes) + 3 * 4 + (outputs + kTilePadding) * 4));
}
constexpr simt::Shape project_shape(int tile_rows, int64_t rows, int64_t outputs,
                                    int64_t row_bytes) {
  return {.grid_x = blocks_of(rows, tile_rows),
          .block_x = kProjectThreads,
          .shared_bytes = project_shared(tile_rows, row_bytes, outputs)};
}

// --- product_float32: numbers as they are or integers, each output one chain of FMAs
inline constexpr int kFloatTile = 64, kFloatThreads = 256;
constexpr simt::Shape float_product_shape(int64_t rows, int64_t outputs) {
  return {.grid_x = blocks_of(rows, kFloatTile),
          .grid_y = blocks_of(outputs, kFloatTile),
          .block_x = kFloatThreads};
}

// --- mlp_int8_32, mlp_int8_16: both layers of an MLP in integers, of tiles of 32 or 16 rows; with
// an order, both experts of a mixture in one grid
struct MlpArgs {
  QuantizedIn in;
  WeightAt fc1[2], fc2[2];  // of the two experts; the first alone where there is no order
  ExpertRows experts;
  FinishRows finish;
};
inline constexpr int kMlpThreads = 256;
/// The most hidden channels that stay in registers.
inline constexpr int kMlpHidden32 = 768, kMlpHidden16 = 1536;
constexpr std::size_t mlp_shared(int tile_rows, int64_t inputs, int64_t hidden, int64_t outputs) {
  const int64_t in = staged_bytes(steps_of(inputs, 1) * kStepBytes);
  const int64_t tile = (outputs + kTilePadding) * 4;
  return static_cast<std::size_t>(
      tile_rows *
      ((in > tile ? in : tile) + staged_bytes(steps_of(hidden, 1) * kStepBytes) + 3 * 4));
}
constexpr simt::Shape mlp_shape(int tile_rows, int64_t rows, bool has_order, int64_t inputs,
                                int64_t hidden, int64_t outputs) {
  // Each expert's last tile may be a part of one.
  return {.grid_x = blocks_of(rows, tile_rows) + (has_order ? 1 : 0),
          .block_x = kMlpThreads,
          .shared_bytes = mlp_shared(tile_rows, inputs, hidden, outputs)};
}

// --- finish: rows of floats, ended as FinishRows says: norms, quantisation, routers by themselves;
// a warp has a row
struct FinishArgs {
  RowsAt<const float> in;
  int32_t rows = 0, width = 0;
  FinishRows finish;
};
inline constexpr int kFinishRows = 4;  // of a block, at most
constexpr std::size_t finish_shared(int block_rows, int64_t width) {
  return static_cast<std::size_t>(block_rows * ((width + kTilePadding) * 4 + 4));
}
/// Of blocks with fewer rows where a block may have no more than `shared_bytes` of shared memory;
/// one row must fit.
constexpr simt::Shape finish_shape(int64_t rows, int64_t width, int64_t shared_bytes) {
  int block_rows = kFinishRows;
  while (block_rows > 1 &&
         finish_shared(block_rows, width) > static_cast<std::size_t>(shared_bytes))
    block_rows /= 2;
  return {.grid_x = blocks_of(rows, block_rows),
          .block_x = static_cast<unsigned>(block_rows * 32),
          .shared_bytes = finish_shared(block_rows, width)};
}

}  // namespace shiftadd::cuda
