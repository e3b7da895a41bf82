// A thread has one output of one row; a block's rows and weights lie in shared memory.
#include "cuda/literal_shift.h"
#include "cuda/tile.h"

namespace shiftadd::cuda {
namespace {

constexpr int kInputs = 128;             // in shared memory at a time
constexpr int kCodeBytes = kInputs / 2;  // two codes a byte

/// x times the power of two that a code stands for.
__device__ __forceinline__ int32_t shift(int32_t x, uint32_t code) {
  const uint32_t magnitude = code & 7U;
  const int32_t power = magnitude == 0 ? 0 : x << (magnitude - 1);
  return (code & 8U) != 0 ? -power : power;
}

}  // namespace

__global__ void __launch_bounds__(kLiteralThreads, 1) literal_shift(const LiteralShiftArgs args) {
  SIMT_SHARED(int8_t, rows_in, [kLiteralRows][kInputs]);
  SIMT_SHARED(uint8_t, codes, [kLiteralOutputs][kCodeBytes + 4]);  // no two rows in one bank
  simt::wait_for_predecessor();
  const int thread = static_cast<int>(threadIdx.x);
  const int row0 = static_cast<int>(blockIdx.y) * kLiteralRows,
            output0 = static_cast<int>(blockIdx.x) * kLiteralOutputs;
  const int row = row0 + thread / kLiteralOutputs, output = output0 + thread % kLiteralOutputs;
  int32_t sum = 0;
  for (int first = 0; first < args.inputs; first += kInputs) {
    for (int i = thread; i < kLiteralRows * kInputs; i += kLiteralThreads) {
      const int r = i / kInputs, j = first + i % kInputs;
      rows_in[r][i % kInputs] =
          row0 + r < args.rows && j < args.inputs ? args.in.at(row0 + r)[j] : 0;
    }
    for (int i = thread; i < kLiteralOutputs * kCodeBytes; i += kLiteralThreads) {
      const int o = i / kCodeBytes, at = first / 2 + i % kCodeBytes;
      codes[o][i % kCodeBytes] =
          output0 + o < args.outputs && at < args.nibble_stride
              ? args.nibbles[static_cast<int64_t>(output0 + o) * args.nibble_stride + at]
              : 0;
    }
    __syncthreads();
    const int8_t* x = rows_in[thread / kLiteralOutputs];
    const uint8_t* own = codes[thread % kLiteralOutputs];
#pragma unroll 8
    for (int i = 0; i < kCodeBytes; ++i) {
      const uint32_t pair = own[i];
      sum += shift(x[2 * i], pair & 15U) + shift(x[2 * i + 1], pair >> 4);
    }
    __syncthreads();
  }
  if (row < args.rows && output < args.outputs)
    args.out.at(row)[output] =
        finish_sum(sum, args.row_scales[output], *args.in.scale(row), args.bias[output]);
}
SIMT_KERNEL(literal_shift, LiteralShiftArgs);

}  // namespace shiftadd::cuda
