// Linear attention on codes and int8 values, as far as its two kernels agree: k^T v of a head, and
// a tile of queries times it. Both are sums of int8 products, exact, and so the CPU's
// (core/cpu/simd/dot_attention.h).
//
// k^T v has whole numbers of more than 8 bits. They are cut into digits -128 .. 127 of base 256,
// and q meets each digit's matrix apart.
#pragma once

#include "cuda/attention_tiles.h"

namespace shiftadd::cuda {
namespace {

/// One block's view of its head.
template <int kWidth>
struct LinearHead {
  static constexpr int kSteps = kWidth / 32, kTiles = kWidth / kTileSide;
  // 16 x 16 tiles of k^T v that a warp sums, all of one row of tiles.
  static constexpr int kTilesOfWarp = larger(kTiles * kTiles / kAttentionWarps, 1);

  const AttendArgs& args;
  const HeadOf head;
  const LinearLayout layout;
  unsigned char* const shared;
  float inverse = 0, scale = 0;  // of values

  __device__ __forceinline__ LinearHead(const AttendArgs& given, unsigned char* memory, bool window)
      : args(given),
        head(given),
        layout(kWidth, given.cut.tile, static_cast<int>(given.shape.keys), given.cut.keys,
               given.cut.resident, window),
        shared(memory) {}

  __device__ __forceinline__ int8_t* bytes(int offset) const {
    return reinterpret_cast<int8_t*>(shared + offset);
  }
  __device__ __forceinline__ float* floats(int offset) const {
    return reinterpret_cast<float*>(shared + offset);
  }
  __device__ __forceinline__ int* ints(int offset) const {
    return reinterpret_cast<int*>(shared + offset);
  }

  __device__ __forceinline__ void find_scale() {
    const float largest = largest_magnitude<kWidth>(head.v, ints(layout.tops));
    inverse = __fdiv_rn(127.0F, largest);
    scale = __fdiv_rn(largest, 127.0F);
  }

  /// A value, in units of `scale`. Where values stay in shared memory it is the upper half of its
  /// float, which a whole number of up to 127 fits.
  __device__ __forceinline__ float value(int row, int column) const {
    if (!args.cut.resident) return round(head.v.load(row, column) * inverse);
    const auto* rows = reinterpret_cast<const uint16_t*>(shared + layout.near);
    return __int_as_float(
        static_cast<int>(static_cast<uint32_t>(rows[row * kWidth + column]) << 16));
  }

  /// Values of keys [first, first + count), turned and, where they stay, as rows.
  __device__ __forceinline__ void take_values(int first, int count) const {
    auto* rows = reinterpret_cast<uint16_t*>(shared + layout.near);
    encode_columns<kWidth>(head.v, first, count, bytes(layout.values), layout.columns_line,
                           [&](int row, int column, float x) {
                             const float whole = round(x * inverse);
                             if (args.cut.resident && row < head.v.count)
                               rows[row * kWidth + column] = static_cast<uint16_t>(
                                   static_cast<uint32_t>(__float_as_int(whole)) >> 16);
                             return __float2int_rn(whole);
                           });
  }

  /// This warp's tiles of k^T v: row of tiles, and the first of its columns of tiles.
  __device__ __forceinline__ int tile_of_codes() const { return warp_index() % kTiles; }
  __device__ __forceinline__ int first_tile() const { return warp_index() / kTiles; }
  static constexpr int kTileStep = larger(kAttentionWarps / kTiles, 1);

  /// sums += the turned codes times the turned values of `count` keys.
  __device__ __forceinline__ void add_products(int32_t (&sums)[kTilesOfWarp][2][4],
                                               int count) const {
    if (first_tile() >= kTiles) return;  // fewer tiles than warps
    const int line = layout.columns_line;
    const int8_t* codes = bytes(layout.codes) + tile_of_codes() * kTileSide * line;
    const int8_t* values = bytes(layout.values) + first_tile() * kTileSide * line;
    for (int key = 0; key < count; key += kKeyStep) {
      uint32_t a[4];
      load_left(a, codes + key, line);
#pragma unroll
      for (int i = 0; i < kTilesOfWarp; ++i)
        multiply_tile(sums[i], a, values + i * kTileStep * kTileSide * line + key, line);
    }
  }

  /// The digits of k^T v, least first: number c of column j at digits + j * line + c.
  __device__ __forceinline__ void write_digits(const int32_t (&sums)[kTilesOfWarp][2][4]) const {
    if (first_tile() >= kTiles) return;
#pragma unroll
    for (int i = 0; i < kTilesOfWarp; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int element = 0; element < 4; ++element) {
          const int row = tile_of_codes() * kTileSide + tile_row(element / 2);
          const int column =
              (first_tile() + i * kTileStep) * kTileSide + tile_column(half) + element % 2;
          int8_t* to = bytes(layout.digits) + column * layout.line + row;
          int x = sums[i][half][element];
#pragma unroll
          for (int digit = 0; digit < kMostDigits; ++digit) {
            to[digit * layout.digit_bytes] = static_cast<int8_t>(x);
            x = (x + 128) >> 8;
          }
        }
  }

  /// The tile's queries, as int8 numbers in `queries`, times k^T v: row r, column j to products +
  /// r * product_line + j. Each warp makes one 16 x 16 tile.
  __device__ __forceinline__ void multiply_queries(int digits) const {
    const int group = warp_index() / kTiles, columns = warp_index() % kTiles * kTileSide;
    if (group >= args.cut.tile / kTileSide) return;
    const int8_t* rows = bytes(layout.queries) + group * kTileSide * layout.line;
    uint32_t a[kSteps][4];
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
      load_left(a[step], rows + step * kKeyStep, layout.line);
    int32_t sum[2][4] = {};
    for (int digit = digits - 1; digit >= 0; --digit) {
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int element = 0; element < 4; ++element) sum[half][element] *= 256;
      const int8_t* matrix =
          bytes(layout.digits) + digit * layout.digit_bytes + columns * layout.line;
#pragma unroll
      for (int step = 0; step < kSteps; ++step)
        multiply_tile(sum, a[step], matrix + step * kKeyStep, layout.line);
    }
#pragma unroll
    for (int low = 0; low < 2; ++low) {
      float* row = floats(layout.products) +
                   (group * kTileSide + tile_row(low)) * layout.product_line + columns;
#pragma unroll
      for (int half = 0; half < 2; ++half)
        *reinterpret_cast<float2*>(row + tile_column(half)) =
            float2{__int2float_rn(sum[half][2 * low]), __int2float_rn(sum[half][2 * low + 1])};
    }
  }
};

}  // namespace
}  // namespace shiftadd::cuda
