// Softmax attention in floats, of any number of keys: the kernel softmax_attention. Its sums run in
// an order of their own, so its bits are not the CPU's; products of codes are counted exactly.
//
// What was summed so far is scaled down whenever a larger score comes (Dao et al. 2022,
// FlashAttention).
#include "cuda/attention_floats.h"

namespace shiftadd::cuda {
namespace {

/// The softmax of this thread's rows so far: the largest score, this thread's part of the sum of
/// weights, and its columns of the sum of weight times value: pairs of them, kPairStep apart.
template <int kWidth>
struct RowsSoFar {
  static constexpr int kColumns = FloatHead<kWidth>::kColumns;
  float top[kRowsOfThread], sum[kRowsOfThread], out[kRowsOfThread][kColumns];

  __device__ __forceinline__ RowsSoFar() {
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r) {
      top[r] = -__builtin_inff();
      sum[r] = 0;
#pragma unroll
      for (int j = 0; j < kColumns; ++j) out[r][j] = 0;
    }
  }

  /// Takes this thread's scores in; their weights to `weights`, a row every `line` floats.
  __device__ __forceinline__ void weigh(const float (&scores)[kRowsOfThread][kKeysOfThread],
                                        float* weights, int line, int lane) {
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r) {
      float largest = top[r];
#pragma unroll
      for (int i = 0; i < kKeysOfThread; ++i) largest = max(scores[r][i], largest);
#pragma unroll
      for (int step = kHalfWarp / 2; step; step /= 2)
        largest = max(largest, __shfl_xor_sync(kAllLanes, largest, step));
      const float before = exp(top[r] - largest);
      top[r] = largest;
      sum[r] *= before;
#pragma unroll
      for (int j = 0; j < kColumns; ++j) out[r][j] *= before;
#pragma unroll
      for (int i = 0; i < kKeysOfThread; ++i) {
        const float e = exp(scores[r][i] - largest);
        sum[r] += e;
        weights[r * line + lane + i * kHalfWarp] = e;
      }
    }
  }
};

}  // namespace

template <int kWidth>
__global__ void __launch_bounds__(kAttentionThreads, kFloatBlocks)
    softmax_attention(const AttendArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  simt::wait_for_predecessor();
  simt::release_successor();
  FloatHead<kWidth> block(args, shared);
  const FloatLayout& layout = block.layout;
  block.find_scale();
  const float factor = head_factor(args, block.head.head);
  const int first = static_cast<int>(blockIdx.x) * kScoreRows, keys = block.head.k.count;
  RowsSoFar<kWidth> rows;
  block.take(block.head.q, first, kScoreRows, layout.queries);
  for (int key = 0; key < keys; key += kScoreKeys) {
    block.take(block.head.k, key, kScoreKeys, layout.keys);
    block.take_values(key);
    __syncthreads();
    float scores[kRowsOfThread][kKeysOfThread] = {};
    block.multiply(scores);
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r)
#pragma unroll
      for (int i = 0; i < kKeysOfThread; ++i)
        scores[r][i] =
            key + block.lane + i * kHalfWarp < keys ? scores[r][i] * factor : -__builtin_inff();
    rows.weigh(scores, block.weights(), layout.weight_line, block.lane);
    __syncwarp();
    block.add_values(rows.out);
    __syncthreads();
  }
  const bool pairs = writes_pairs(args);
#pragma unroll
  for (int r = 0; r < kRowsOfThread; ++r) {
    float sum = rows.sum[r];
#pragma unroll
    for (int step = kHalfWarp / 2; step; step /= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
    const float length = __fdiv_rn(block.scale, sum);
    const int row = first + block.first_row + r;
    if (row >= block.head.q.count) continue;
    float* out = block.head.out + row * block.head.out_stride;
#pragma unroll
    for (int j = 0; j < block.kColumns; j += 2)
      store_pair(out, block.lane * 2 + j / 2 * kPairStep, block.head.v.width, pairs,
                 rows.out[r][j] * length, rows.out[r][j + 1] * length);
  }
}

SIMT_KERNEL_AS(softmax_attention_32, AttendArgs, softmax_attention<32>);
SIMT_KERNEL_AS(softmax_attention_64, AttendArgs, softmax_attention<64>);
SIMT_KERNEL_AS(softmax_attention_128, AttendArgs, softmax_attention<128>);

}  // namespace shiftadd::cuda
