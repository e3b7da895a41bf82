// One kernel for each part of the vocabulary: what it gives is written out for a test to compare.
#pragma once

#include <cstdint>

#include "cuda/simt/kernel.h"

namespace shiftadd::cuda {

/// Results are stored [result][thread of the grid].
struct IntegerArgs {
  const int* a;
  const int* b;
  int* out;
};
constexpr int kShuffles = 8, kVotes = 7, kIntegers = 10;
SIMT_DECLARE_KERNEL(shuffles);      // of a, by b lanes
SIMT_DECLARE_KERNEL(votes);         // on bits of a
SIMT_DECLARE_KERNEL(integer_math);  // of a and b

struct FloatArgs {
  const float* a;
  const float* b;
  const float* c;
  float* out;
};
constexpr int kFloats = 9;
SIMT_DECLARE_KERNEL(float_math);

/// Sums and maximum of `in` over all threads, on top of what the host wrote.
struct AtomicArgs {
  const int* in;
  int* sum;
  unsigned* unsigned_sum;
  float* float_sum;
  int* maximum;
};
SIMT_DECLARE_KERNEL(atomics);

/// Each thread writes threadIdx, blockIdx, blockDim and gridDim: 12 numbers.
struct PositionArgs {
  unsigned* out;
};
SIMT_DECLARE_KERNEL(positions);

/// Reverses each block of `in`, by way of an array and of the dynamic shared memory.
struct SharedArgs {
  const int* in;
  int* out;
};
constexpr int kSharedThreads = 96;
SIMT_DECLARE_KERNEL(reverse_blocks);

/// Thread i copies line i of 16 bytes of `in` twice, in two groups: the first `valid[i]` bytes, and
/// all. Thread i writes the lines of thread 31 - i: out [2][32][4].
struct CopyArgs {
  const unsigned* in;
  const int* valid;
  unsigned* out;
};
SIMT_DECLARE_KERNEL(copies);

/// 32 rows of 16 bytes; row i of matrix m is row 8 m + i. out [2][4][32]: as they are, then turned.
struct MatrixArgs {
  const unsigned* rows;
  unsigned* out;
};
SIMT_DECLARE_KERNEL(load_matrices);

/// Fragments as registers [register][lane]; d has 4, is read and written.
struct ProductArgs {
  const uint32_t* a;
  const uint32_t* b;
  void* d;
};
SIMT_DECLARE_KERNEL(product_s8);
SIMT_DECLARE_KERNEL(product_bf16);

/// out[i] = prmt(a[i], b[i], selector[i])
struct BytesArgs {
  const uint32_t* a;
  const uint32_t* b;
  const uint32_t* selector;
  uint32_t* out;
};
SIMT_DECLARE_KERNEL(choose_bytes);

/// out[i] = in[2 i] and in[2 i + 1] as bf16
struct RoundArgs {
  const float* in;
  uint32_t* out;
};
SIMT_DECLARE_KERNEL(round_pairs);

/// out[i] = in[i] + 1: an instance of a template.
SIMT_DECLARE_KERNEL(add_one);

}  // namespace shiftadd::cuda
