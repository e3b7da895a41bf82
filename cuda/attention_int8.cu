// Softmax attention in integers: the kernel int8_attention, whose bits are the CPU's
// (core/cpu/simd/int8_attention.h).
//
// A block has one head and some of its queries, a tile at a time. Scores of a tile lie in shared
// memory as floats; a row's probabilities, two digits of 7 bits each, take the place of its scores.
// Keys and values are made int8 once where all of them have room, else as often as a tile asks.
#include "cuda/attention_tiles.h"

namespace shiftadd::cuda {
namespace {

// In the place of 32 scores: 32 high digits, then 32 low ones.
constexpr int kDigitBytes = 2 * kKeyStep;

/// One block's view of its head.
template <int kWidth>
struct Int8Head {
  static constexpr int kSteps = kWidth / 32;

  const AttendArgs& args;
  const HeadOf head;
  const Int8Layout layout;
  unsigned char* const shared;
  const float factor;  // of scores
  float inverse = 0;   // of a value's scale

  __device__ __forceinline__ Int8Head(const AttendArgs& given, unsigned char* memory)
      : args(given),
        head(given),
        layout(kWidth, given.cut.tile, static_cast<int>(given.shape.keys), given.cut.keys,
               given.cut.resident),
        shared(memory),
        factor(head_factor(given, head.head)) {}

  __device__ __forceinline__ int8_t* bytes(int offset) const {
    return reinterpret_cast<int8_t*>(shared + offset);
  }
  __device__ __forceinline__ float* floats(int offset) const {
    return reinterpret_cast<float*>(shared + offset);
  }
  __device__ __forceinline__ int padded_keys() const { return padded_to(head.k.count, kKeyStep); }

  __device__ __forceinline__ void take_keys(int first, int count) const {
    encode_rows<kWidth>(args.codes, head.k, first, count, bytes(layout.keys), layout.line,
                        floats(layout.key_scales));
  }
  __device__ __forceinline__ void take_values(int first, int count) const {
    encode_columns<kWidth>(head.v, first, count, bytes(layout.values), layout.columns_line,
                           [&](int, int, float x) { return __float2int_rn(x * inverse); });
  }

  /// Scores of the tile's queries with keys [first, first + count).
  __device__ __forceinline__ void score(int first, int count) const {
    const int groups = args.cut.tile / kTileSide, group = warp_index() % groups;
    const float* query_scales = floats(layout.query_scales) + group * kTileSide;
    const float* key_scales = floats(layout.key_scales);
    uint32_t a[kSteps][4];
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
      load_left(a[step], bytes(layout.queries) + group * kTileSide * layout.line + step * kKeyStep,
                layout.line);
    const float scales[2] = {query_scales[tile_row(0)] * factor,
                             query_scales[tile_row(1)] * factor};
    for (int key = warp_index() / groups * kTileSide; key < count;
         key += kAttentionWarps / groups * kTileSide) {
      int32_t sum[2][4] = {};
#pragma unroll
      for (int step = 0; step < kSteps; ++step)
        multiply_tile(sum, a[step], bytes(layout.keys) + key * layout.line + step * kKeyStep,
                      layout.line);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int column = key + tile_column(half);
        const float2 of_keys = *reinterpret_cast<const float2*>(key_scales + column);
#pragma unroll
        for (int low = 0; low < 2; ++low) {
          const float x = __int2float_rn(sum[half][2 * low]) * scales[low] * of_keys.x;
          const float y = __int2float_rn(sum[half][2 * low + 1]) * scales[low] * of_keys.y;
          const int row = group * kTileSide + tile_row(low);
          float* to = floats(layout.scores + row * layout.score_line) + first + column;
          *reinterpret_cast<float2*>(to) = float2{x, y};
        }
      }
    }
  }

  /// Scores of the tile's first `count` rows to digits, a warp a row. Digits of a step lie where
  /// scores of earlier steps did, or of their own, which the lanes have all read.
  __device__ __forceinline__ void weigh(int count, float value_scale) const {
    const int lane = lane_index(), keys = head.k.count;
    for (int row = warp_index(); row < count; row += kAttentionWarps) {
      const float* scores = floats(layout.scores + row * layout.score_line);
      int8_t* digits = bytes(layout.scores + row * layout.score_line);
      float top = -__builtin_inff();
      for (int key = lane; key < keys; key += 32) top = max(top, scores[key]);
      const float largest = warp_max(top);
      int total = 0;
      for (int first = 0; first < padded_keys(); first += kKeyStep) {
        const int key = first + lane;
        const float e = key < keys ? exp(scores[key] - largest) : 0.0F;
        const int whole = __float2int_rn(e * 16383.0F);
        total += whole;
        __syncwarp();
        digits[first * 2 + lane] = static_cast<int8_t>(whole >> 7);
        digits[first * 2 + kKeyStep + lane] = static_cast<int8_t>(whole & 127);
      }
      total = __reduce_add_sync(kAllLanes, total);
      if (lane == 0)
        floats(layout.row_factors)[row] = __fdiv_rn(value_scale, __int2float_rn(total));
    }
  }

  /// This warp's 16 x 16 numbers of the output: which rows and columns of the tile; whether any.
  __device__ __forceinline__ int tile_group() const { return warp_index() / kColumnTiles; }
  __device__ __forceinline__ int tile_columns() const {
    return warp_index() % kColumnTiles * kTileSide;
  }
  __device__ __forceinline__ bool has_tile() const {
    return tile_group() < args.cut.tile / kTileSide;
  }
  static constexpr int kColumnTiles = kWidth / kTileSide;

  /// high and low += the digits of the rows times values of keys [first, first + count).
  __device__ __forceinline__ void multiply_values(int32_t (&high)[2][4], int32_t (&low)[2][4],
                                                  int first, int count) const {
    const int8_t* digits = bytes(layout.scores + tile_group() * kTileSide * layout.score_line);
    const int8_t* values = bytes(layout.values) + tile_columns() * layout.columns_line;
    for (int key = 0; key < count; key += kKeyStep) {
      const int8_t* step = digits + (first + key) / kKeyStep * kDigitBytes;
      uint32_t a[4], b[2][2];
      load_right(b, values + key, layout.columns_line);
      load_left(a, step, layout.score_line);
      simt::mma_s8(high[0], a, b[0]);
      simt::mma_s8(high[1], a, b[1]);
      load_left(a, step + kKeyStep, layout.score_line);
      simt::mma_s8(low[0], a, b[0]);
      simt::mma_s8(low[1], a, b[1]);
    }
  }

  __device__ __forceinline__ void write(const int32_t (&high)[2][4], const int32_t (&low)[2][4],
                                        int first, int count) const {
    const bool pairs = writes_pairs(args);
#pragma unroll
    for (int lower = 0; lower < 2; ++lower) {
      const int row = tile_group() * kTileSide + tile_row(lower);
      if (row >= count) continue;
      const float row_factor = floats(layout.row_factors)[row];
      float* out = head.out + (first + row) * head.out_stride;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int x = high[half][2 * lower] * 128 + low[half][2 * lower];
        const int y = high[half][2 * lower + 1] * 128 + low[half][2 * lower + 1];
        store_pair(out, tile_columns() + tile_column(half), head.v.width, pairs,
                   __int2float_rn(x) * row_factor, __int2float_rn(y) * row_factor);
      }
    }
  }
};

}  // namespace

template <int kWidth>
__global__ void __launch_bounds__(kAttentionThreads, int8_blocks(kWidth))
    int8_attention(const AttendArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  simt::wait_for_predecessor();
  simt::release_successor();
  Int8Head<kWidth> block(args, shared);
  const AttentionCut& cut = args.cut;
  const int keys = block.padded_keys();
  const float largest =
      largest_magnitude<kWidth>(block.head.v, reinterpret_cast<int*>(shared + block.layout.tops));
  block.inverse = __fdiv_rn(127.0F, largest);
  const float value_scale = __fdiv_rn(largest, 127.0F);
  if (cut.resident) {
    block.take_keys(0, keys);
    block.take_values(0, keys);
  }
  const int begin = static_cast<int>(blockIdx.x) * cut.queries;
  const int end = lesser(begin + cut.queries, block.head.q.count);
  for (int first = begin; first < end; first += cut.tile) {
    const int count = lesser(end - first, cut.tile);
    encode_rows<kWidth>(args.codes, block.head.q, first, cut.tile,
                        block.bytes(block.layout.queries), block.layout.line,
                        block.floats(block.layout.query_scales));
    for (int key = 0; key < keys; key += cut.keys) {
      const int here = lesser(keys - key, cut.keys);
      if (!cut.resident) block.take_keys(key, here);
      __syncthreads();
      block.score(key, here);
      __syncthreads();
    }
    block.weigh(count, value_scale);
    int32_t high[2][4] = {}, low[2][4] = {};
    for (int key = 0; key < keys; key += cut.keys) {
      const int here = lesser(keys - key, cut.keys);
      if (!cut.resident) block.take_values(key, here);
      __syncthreads();
      if (block.has_tile()) block.multiply_values(high, low, key, here);
      __syncthreads();
    }
    if (block.has_tile()) block.write(high, low, first, count);
  }
}

SIMT_KERNEL_AS(int8_attention_32, AttendArgs, int8_attention<32>);
SIMT_KERNEL_AS(int8_attention_64, AttendArgs, int8_attention<64>);
SIMT_KERNEL_AS(int8_attention_128, AttendArgs, int8_attention<128>);

}  // namespace shiftadd::cuda
