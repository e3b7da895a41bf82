// Linear-angular attention on signs and int8 values: the kernel linear_attention, whose bits are
// those of the CPU's dot_attention (core/cpu/simd/dot_attention.h, linear_angular.h).
//
// A block sums k^T v of its head over all keys, then answers its queries, a tile at a time.
#include "cuda/attention_angular.h"
#include "cuda/attention_linear.h"

namespace shiftadd::cuda {
template <int kWidth>
__global__ void __launch_bounds__(kAttentionThreads, linear_blocks(kWidth))
    linear_attention(const AttendArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  simt::wait_for_predecessor();
  simt::release_successor();
  using Head = LinearHead<kWidth>;
  Head block(args, shared, false);
  const AttentionCut& cut = args.cut;
  const auto sign = [](int, int, float x) { return code_of(Codes::kSign, x, 1); };
  block.find_scale();
  int32_t sums[Head::kTilesOfWarp][2][4] = {};
  const int keys = padded_to(block.head.k.count, kKeyStep);
  for (int key = 0; key < keys; key += cut.keys) {
    const int here = lesser(keys - key, cut.keys);
    encode_columns<kWidth>(block.head.k, key, here, block.bytes(block.layout.codes),
                           block.layout.columns_line, sign);
    block.take_values(key, here);
    __syncthreads();
    block.add_products(sums, here);
    __syncthreads();
  }
  block.write_digits(sums);
  const int digits = digits_for(127 * block.head.k.count);
  const int begin = static_cast<int>(blockIdx.x) * cut.queries;
  const int end = lesser(begin + cut.queries, block.head.q.count);
  for (int first = begin; first < end; first += cut.tile) {
    encode_rows<kWidth>(Codes::kSign, block.head.q, first, cut.tile,
                        block.bytes(block.layout.queries), block.layout.line, nullptr);
    __syncthreads();
    block.multiply_queries(digits);
    __syncthreads();
    const int count = lesser(end - first, cut.tile);
    for (int row = warp_index(); row < count; row += kAttentionWarps)
      finish_row<kWidth>(block, first + row,
                         block.floats(block.layout.products) + row * block.layout.product_line);
  }
}

SIMT_KERNEL_AS(linear_attention_32, AttendArgs, linear_attention<32>);
SIMT_KERNEL_AS(linear_attention_64, AttendArgs, linear_attention<64>);
SIMT_KERNEL_AS(linear_attention_128, AttendArgs, linear_attention<128>);

}  // namespace shiftadd::cuda
