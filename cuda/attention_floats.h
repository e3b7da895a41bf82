// Attention in floats, as far as its kernels agree: products of a tile of queries with a tile of
// keys, whole where they are codes, and sums of what these products weigh.
//
// A block has one head and a tile of its queries, and goes over the keys a tile at a time. Two rows
// of the tile belong to half a warp, whose lanes have keys and, later, columns of the output.
#pragma once

#include "cuda/attention_tiles.h"

namespace shiftadd::cuda {
namespace {

constexpr int kHalfWarp = 16;
constexpr int kRowsOfThread = kScoreRows * kHalfWarp / kAttentionThreads;
constexpr int kKeysOfThread = kScoreKeys / kHalfWarp;
// Columns between two pairs of a thread: half a warp reads whole lines of shared memory.
constexpr int kPairStep = 2 * kHalfWarp;

/// One block's view of its head and its tile of queries.
template <int kWidth>
struct FloatHead {
  static constexpr int kWords = kWidth / 32;           // of a plane of a row's codes
  static constexpr int kColumns = kWidth / kHalfWarp;  // of the output, of a thread

  const AttendArgs& args;
  const HeadOf head;
  const FloatLayout layout{kWidth};
  unsigned char* const shared;
  float inverse = 1, scale = 1;  // of values
  const int lane = static_cast<int>(threadIdx.x) % kHalfWarp;
  const int first_row = static_cast<int>(threadIdx.x) / kHalfWarp * kRowsOfThread;

  __device__ __forceinline__ FloatHead(const AttendArgs& given, unsigned char* memory)
      : args(given), head(given), shared(memory) {}

  __device__ __forceinline__ float* floats(int offset) const {
    return reinterpret_cast<float*>(shared + offset);
  }
  __device__ __forceinline__ uint32_t* words(int offset) const {
    return reinterpret_cast<uint32_t*>(shared + offset);
  }

  __device__ __forceinline__ void find_scale() {
    if (args.value == ValueFormat::kFloat) return;
    const float largest =
        largest_magnitude<kWidth>(head.v, reinterpret_cast<int*>(shared + layout.tops));
    inverse = __fdiv_rn(127.0F, largest);
    scale = __fdiv_rn(largest, 127.0F);
  }
  /// A number of v in units of `scale`.
  __device__ __forceinline__ float in_units(float x) const {
    return args.value == ValueFormat::kFloat ? x : round(x * inverse);
  }
  __device__ __forceinline__ float value(int row, int column) const {
    return in_units(head.v.load(row, column));
  }

  /// Rows [first, first + count) of x as floats, 0 beyond them and their numbers.
  template <class Map>
  __device__ __forceinline__ void take_floats(const HeadRows& x, int first, int count, float* to,
                                              Map map) const {
#pragma unroll kRowsAtOnce
    for (int row = warp_index(); row < count; row += kAttentionWarps)
#pragma unroll
      for (int column = lane_index(); column < kWidth; column += 32)
        to[row * layout.line + column] = map(x.load(first + row, column));
  }

  /// The same as codes: a bit a number, set where it is negative, and of levels b0 + 2 b1, whose
  /// sign is that of b1, one more, set where b0 is -1.
  __device__ __forceinline__ void take_bits(const HeadRows& x, int first, int count,
                                            uint32_t* to) const {
    for (int row = warp_index(); row < count; row += kAttentionWarps)
#pragma unroll
      for (int word = 0; word < kWords; ++word) {
        const int column = word * 32 + lane_index();
        const float number = x.load(first + row, column);
        const int level = level_of(number);
        const uint32_t signs = __ballot_sync(kAllLanes, number < 0);
        const uint32_t low =
            __ballot_sync(kAllLanes, x.has(first + row, column) && (level == -3 || level == 1));
        if (lane_index() == 0) {
          to[row * 2 * kWords + word] = signs;
          to[row * 2 * kWords + kWords + word] = low;
        }
      }
  }

  __device__ __forceinline__ void take(const HeadRows& x, int first, int count, int offset) const {
    if (args.codes == Codes::kNone)
      take_floats(x, first, count, floats(offset), [](float number) { return number; });
    else
      take_bits(x, first, count, words(offset));
  }

  /// Values of a tile of keys.
  __device__ __forceinline__ void take_values(int first) const {
    take_floats(head.v, first, kScoreKeys, floats(layout.values),
                [this](float x) { return in_units(x); });
  }

  /// Products of this thread's rows with its keys: lane, lane + kHalfWarp, ...
  __device__ __forceinline__ void multiply_floats(
      float (&products)[kRowsOfThread][kKeysOfThread]) const {
    const float* rows = floats(layout.queries) + first_row * layout.line;
    const float* keys = floats(layout.keys) + lane * layout.line;
#pragma unroll 4
    for (int channel = 0; channel < kWidth; channel += 4) {
      float4 x[kRowsOfThread], y[kKeysOfThread];
#pragma unroll
      for (int r = 0; r < kRowsOfThread; ++r)
        x[r] = *reinterpret_cast<const float4*>(rows + r * layout.line + channel);
#pragma unroll
      for (int i = 0; i < kKeysOfThread; ++i)
        y[i] = *reinterpret_cast<const float4*>(keys + i * kHalfWarp * layout.line + channel);
#pragma unroll
      for (int r = 0; r < kRowsOfThread; ++r)
#pragma unroll
        for (int i = 0; i < kKeysOfThread; ++i) {
          float& sum = products[r][i];
          sum = fma(x[r].x, y[i].x, sum);
          sum = fma(x[r].y, y[i].y, sum);
          sum = fma(x[r].z, y[i].z, sum);
          sum = fma(x[r].w, y[i].w, sum);
        }
    }
  }

  /// The same of codes: counts of differing bits.
  __device__ __forceinline__ void multiply_bits(
      float (&products)[kRowsOfThread][kKeysOfThread]) const {
    const bool levels = args.codes == Codes::kBipolar2;
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r) {
      const uint32_t* x = words(layout.queries) + (first_row + r) * 2 * kWords;
#pragma unroll
      for (int i = 0; i < kKeysOfThread; ++i) {
        const uint32_t* y = words(layout.keys) + (lane + i * kHalfWarp) * 2 * kWords;
        int signs = 0, mixed = 0, low = 0;
#pragma unroll
        for (int word = 0; word < kWords; ++word) {
          signs += __popc(x[word] ^ y[word]);
          if (!levels) continue;
          mixed += __popc(x[word] ^ y[kWords + word]) + __popc(x[kWords + word] ^ y[word]);
          low += __popc(x[kWords + word] ^ y[kWords + word]);
        }
        const int total = levels ? 4 * signs + 2 * mixed + low : signs;
        products[r][i] = __int2float_rn((levels ? 9 : 1) * head.k.width - 2 * total);
      }
    }
  }

  __device__ __forceinline__ void multiply(float (&products)[kRowsOfThread][kKeysOfThread]) const {
    if (args.codes == Codes::kNone)
      multiply_floats(products);
    else
      multiply_bits(products);
  }

  /// Weights of this thread's rows, a row every layout.weight_line.
  __device__ __forceinline__ float* weights() const {
    return floats(layout.weights) + first_row * layout.weight_line;
  }

  /// sums += weights times values: of this thread's columns, pairs of them kPairStep apart.
  __device__ __forceinline__ void add_values(float (&sums)[kRowsOfThread][kColumns]) const {
    const float* from_weights = weights();
    const float* values = floats(layout.values) + lane * 2;
#pragma unroll 2
    for (int key = 0; key < kScoreKeys; key += 2) {
      float2 w[kRowsOfThread];
#pragma unroll
      for (int r = 0; r < kRowsOfThread; ++r)
        w[r] = *reinterpret_cast<const float2*>(from_weights + r * layout.weight_line + key);
#pragma unroll
      for (int j = 0; j < kColumns; j += 2) {
        const float* from = values + key * layout.line + j / 2 * kPairStep;
        const float2 x = *reinterpret_cast<const float2*>(from);
        const float2 y = *reinterpret_cast<const float2*>(from + layout.line);
#pragma unroll
        for (int r = 0; r < kRowsOfThread; ++r) {
          sums[r][j] = fma(w[r].y, y.x, fma(w[r].x, x.x, sums[r][j]));
          sums[r][j + 1] = fma(w[r].y, y.y, fma(w[r].x, x.y, sums[r][j + 1]));
        }
      }
    }
  }
};

}  // namespace
}  // namespace shiftadd::cuda
