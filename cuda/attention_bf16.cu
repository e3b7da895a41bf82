// Softmax attention of bf16 numbers on tensor cores, of any number of keys: the kernel
// bf16_attention. Queries, keys, values and weights are rounded to bf16; all sums are float32.
//
// A block has one head, each of its warps 16 queries, and goes over the keys a tile at a time. A
// warp's scores never leave its registers: what one product makes lies as the next one takes it.
// What was summed so far is scaled down whenever a larger score comes (Dao et al. 2022,
// FlashAttention).
#include "cuda/attention_tiles.h"

namespace shiftadd::cuda {
namespace {

constexpr float kLog2OfE = 1.44269504F;
constexpr int kStepNumbers = 16;  // channels or keys that one instruction sums over
constexpr int kPartNumbers = 8;   // keys or columns that it makes

/// Whether two neighbouring numbers, the first of an even column, may be read as one.
__device__ __forceinline__ bool reads_pairs(const HeadRows& x) {
  return ((x.stride | x.width) & 1) == 0 && reinterpret_cast<uintptr_t>(x.at) % sizeof(float2) == 0;
}
/// Two neighbours as bf16; 0 beyond the rows and their numbers.
__device__ __forceinline__ uint32_t load_pair(const HeadRows& x, bool pairs, int row, int column) {
  if (!pairs) return simt::bf16x2(x.load(row, column), x.load(row, column + 1));
  if (!x.has(row, column)) return 0;
  const float2 two = *reinterpret_cast<const float2*>(x.at + row * x.stride + column);
  return simt::bf16x2(two.x, two.y);
}

/// A tile of rows from `first` on, as bf16 in shared memory, by the whole block; a thread has so
/// many pairs of them on their way at once.
template <int kWidth>
__device__ __forceinline__ void take_rows(const HeadRows& x, int first, int8_t* rows) {
  constexpr Bf16Layout kLayout(kWidth);
  constexpr int kPairs = kWidth / 2, kAtOnce = 4, kStep = kAttentionThreads / kPairs;  // rows
  const bool pairs = reads_pairs(x);
  const int pair = static_cast<int>(threadIdx.x) % kPairs;
#pragma unroll 1
  for (int row = static_cast<int>(threadIdx.x) / kPairs; row < kBf16Keys; row += kAtOnce * kStep) {
    uint32_t numbers[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i)
      numbers[i] = load_pair(x, pairs, first + row + i * kStep, 2 * pair);
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i)
      reinterpret_cast<uint32_t*>(rows + (row + i * kStep) * kLayout.line)[pair] = numbers[i];
  }
}

/// 16 rows of 32 bytes, `line` bytes apart, that a product sums over: two operands of 8 columns.
__device__ __forceinline__ void load_turned(uint32_t (&b)[2][2], const int8_t* rows, int line) {
  const int lane = lane_index();
  uint32_t four[4];
  simt::ldmatrix_x4_trans(four, rows + lane % 16 * line + lane / 16 * 16);
  b[0][0] = four[0], b[0][1] = four[1], b[1][0] = four[2], b[1][1] = four[3];
}

/// A warp's 16 queries and the softmax of their scores so far. Element 2 low + i of a lane's part
/// of eight keys or columns is row tile_row(low), number tile_column(0) + i of the part.
template <int kWidth>
struct WarpQueries {
  static constexpr Bf16Layout kLayout{kWidth};
  static constexpr int kSteps = kWidth / kStepNumbers, kParts = kWidth / kPartNumbers;
  static constexpr int kKeyParts = kBf16Keys / kPartNumbers;

  uint32_t queries[kSteps][4];
  float top[2], sum[2];  // the largest score; this lane's part of the sum of weights
  float out[kParts][4];  // the sum of weight times value

  __device__ __forceinline__ WarpQueries(const HeadRows& q, int first) {
    const bool pairs = reads_pairs(q);
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int low = 0; low < 2; ++low)
          queries[step][2 * half + low] =
              load_pair(q, pairs, first + tile_row(low), step * kStepNumbers + tile_column(half));
#pragma unroll
    for (int low = 0; low < 2; ++low) {
      top[low] = -__builtin_inff();
      sum[low] = 0;
    }
#pragma unroll
    for (int part = 0; part < kParts; ++part)
#pragma unroll
      for (int element = 0; element < 4; ++element) out[part][element] = 0;
  }

  /// Takes in the first `count` rows of a tile of keys and values.
  __device__ __forceinline__ void attend(const int8_t* keys, const int8_t* values, int count,
                                         float factor) {
    float scores[kKeyParts][4] = {};
#pragma unroll
    for (int key = 0; key < kBf16Keys; key += kTileSide)
      if (key < count) score(scores[key / 8], scores[key / 8 + 1], keys + key * kLayout.line);
#pragma unroll
    for (int low = 0; low < 2; ++low) weigh(scores, low, count, factor);
#pragma unroll
    for (int key = 0; key < kBf16Keys; key += kTileSide)
      if (key < count)
        add_values(scores[key / 8], scores[key / 8 + 1], values + key * kLayout.line);
  }

  /// Products with 16 keys.
  __device__ __forceinline__ void score(float (&left)[4], float (&right)[4],
                                        const int8_t* keys) const {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint32_t b[2][2];
      load_right(b, keys + step * kKeyStep, kLayout.line);
      simt::mma_bf16(left, queries[step], b[0]);
      simt::mma_bf16(right, queries[step], b[1]);
    }
  }

  /// Products of a row to weights, powers of two of what they lie below the row's largest score.
  __device__ __forceinline__ void weigh(float (&scores)[kKeyParts][4], int low, int count,
                                        float factor) {
    float largest = top[low];
#pragma unroll
    for (int part = 0; part < kKeyParts; ++part)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = scores[part][2 * low + i];
        const int key = part * kPartNumbers + tile_column(0) + i;
        score = key < count ? score * factor : -__builtin_inff();
        largest = max(score, largest);
      }
#pragma unroll
    for (int step = 1; step < 4; step *= 2)
      largest = max(largest, __shfl_xor_sync(kAllLanes, largest, step));
    const float before = exp2f(top[low] - largest);
    top[low] = largest;
    sum[low] *= before;
#pragma unroll
    for (int part = 0; part < kParts; ++part)
#pragma unroll
      for (int i = 0; i < 2; ++i) out[part][2 * low + i] *= before;
#pragma unroll
    for (int part = 0; part < kKeyParts; ++part)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = scores[part][2 * low + i];
        score = exp2f(score - largest);
        sum[low] += score;
      }
  }

  /// Adds weights times values of 16 keys.
  __device__ __forceinline__ void add_values(const float (&left)[4], const float (&right)[4],
                                             const int8_t* values) {
    const uint32_t a[4] = {simt::bf16x2(left[0], left[1]), simt::bf16x2(left[2], left[3]),
                           simt::bf16x2(right[0], right[1]), simt::bf16x2(right[2], right[3])};
#pragma unroll
    for (int part = 0; part < kParts; part += 2) {
      uint32_t b[2][2];
      load_turned(b, values + part * 16, kLayout.line);
      simt::mma_bf16(out[part], a, b[0]);
      simt::mma_bf16(out[part + 1], a, b[1]);
    }
  }

  __device__ __forceinline__ void write(const AttendArgs& args, const HeadOf& head,
                                        int first) const {
    const bool pairs = writes_pairs(args);
#pragma unroll
    for (int low = 0; low < 2; ++low) {
      float total = sum[low];
#pragma unroll
      for (int step = 1; step < 4; step *= 2) total += __shfl_xor_sync(kAllLanes, total, step);
      const float length = __fdiv_rn(1.0F, total);
      const int row = first + tile_row(low);
      if (row >= head.q.count) continue;
      float* to = head.out + row * head.out_stride;
#pragma unroll
      for (int part = 0; part < kParts; ++part)
        store_pair(to, part * kPartNumbers + tile_column(0), head.v.width, pairs,
                   out[part][2 * low] * length, out[part][2 * low + 1] * length);
    }
  }
};

}  // namespace

template <int kWidth>
__global__ void __launch_bounds__(kAttentionThreads, bf16_blocks(kWidth))
    bf16_attention(const AttendArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  simt::wait_for_predecessor();
  simt::release_successor();
  auto* const keys = reinterpret_cast<int8_t*>(shared);
  int8_t* const values = keys + Bf16Layout(kWidth).values;
  const HeadOf head(args);
  const int first = static_cast<int>(blockIdx.x) * kBf16Queries + warp_index() * kTileSide;
  const bool has_queries = first < head.q.count;
  const float factor = args.factor * kLog2OfE;
  WarpQueries<kWidth> rows(head.q, first);
  for (int key = 0; key < head.k.count; key += kBf16Keys) {
    take_rows<kWidth>(head.k, key, keys);
    take_rows<kWidth>(head.v, key, values);
    __syncthreads();
    if (has_queries) rows.attend(keys, values, lesser(head.k.count - key, kBf16Keys), factor);
    __syncthreads();
  }
  if (has_queries) rows.write(args, head, first);
}

SIMT_KERNEL_AS(bf16_attention_32, AttendArgs, bf16_attention<32>);
SIMT_KERNEL_AS(bf16_attention_64, AttendArgs, bf16_attention<64>);
SIMT_KERNEL_AS(bf16_attention_128, AttendArgs, bf16_attention<128>);

}  // namespace shiftadd::cuda
