// Linear-angular attention in floats, of any number of keys: the kernel angular_attention, on rows
// divided by their norms or on signs (LinearAngularArgs, core/kernels/attention.h).
//
// It multiplies in the quadratic order, (q k^T) v: k^T v of a head would be summed by every block
// again. Its sums are therefore not the CPU's, but with int8 values and signs, where they are
// exact.
#include "cuda/attention_angular.h"
#include "cuda/attention_floats.h"

namespace shiftadd::cuda {
namespace {

/// Rows [first, first + count) of q or k: their signs or, divided by their norms, their numbers,
/// with the CPU's bits (core/cpu/simd/attention_codes.h).
template <int kWidth>
__device__ __forceinline__ void take_codes(const FloatHead<kWidth>& block, const HeadRows& x,
                                           int first, int count, int offset) {
  if (block.args.codes == Codes::kSign)
    return block.take_bits(x, first, count, block.words(offset));
  constexpr int kParts = kWidth / 32;
#pragma unroll kRowsAtOnce
  for (int row = warp_index(); row < count; row += kAttentionWarps) {
    float numbers[kParts], chain = 0;
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      numbers[part] = x.load(first + row, part * 32 + lane_index());
      chain += numbers[part] * numbers[part];
    }
    const float factor = __fdiv_rn(1.0F, __fsqrt_rn(sum_chains(chain) + kUnitEps));
    float* to = block.floats(offset) + row * block.layout.line + lane_index();
#pragma unroll
    for (int part = 0; part < kParts; ++part) to[part * 32] = numbers[part] * factor;
  }
}

}  // namespace

template <int kWidth>
__global__ void __launch_bounds__(kAttentionThreads, kFloatBlocks)
    angular_attention(const AttendArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  simt::wait_for_predecessor();
  simt::release_successor();
  FloatHead<kWidth> block(args, shared);
  const FloatLayout& layout = block.layout;
  block.find_scale();
  const int first = static_cast<int>(blockIdx.x) * kScoreRows, keys = block.head.k.count;
  float sums[kRowsOfThread][FloatHead<kWidth>::kColumns] = {};
  take_codes(block, block.head.q, first, kScoreRows, layout.queries);
  for (int key = 0; key < keys; key += kScoreKeys) {
    take_codes(block, block.head.k, key, kScoreKeys, layout.keys);
    block.take_values(key);  // 0 beyond the keys, whatever their products
    __syncthreads();
    float products[kRowsOfThread][kKeysOfThread] = {};
    block.multiply(products);
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r)
#pragma unroll
      for (int i = 0; i < kKeysOfThread; ++i)
        block.weights()[r * layout.weight_line + block.lane + i * kHalfWarp] = products[r][i];
    __syncwarp();
    block.add_values(sums);
    __syncthreads();
  }
  // A row's end is a warp's, so the sums take the place of the queries.
  float* rows = block.floats(layout.queries);
#pragma unroll
  for (int r = 0; r < kRowsOfThread; ++r)
#pragma unroll
    for (int j = 0; j < block.kColumns; j += 2)
      *reinterpret_cast<float2*>(rows + (block.first_row + r) * layout.line + block.lane * 2 +
                                 j / 2 * kPairStep) = float2{sums[r][j], sums[r][j + 1]};
  __syncthreads();
  const int count = lesser(block.head.q.count - first, kScoreRows);
  for (int row = warp_index(); row < count; row += kAttentionWarps)
    finish_row<kWidth>(block, first + row, rows + row * layout.line);
}

SIMT_KERNEL_AS(angular_attention_32, AttendArgs, angular_attention<32>);
SIMT_KERNEL_AS(angular_attention_64, AttendArgs, angular_attention<64>);
SIMT_KERNEL_AS(angular_attention_128, AttendArgs, angular_attention<128>);

}  // namespace shiftadd::cuda
