// The vocabulary of the kernels: CUDA under nvcc, the host executor under any other compiler.
//
// Kernels keep CUDA's spelling for what both builds can spell alike (threadIdx, __syncthreads,
// __shfl_xor_sync, atomicAdd, __dp4a, __fmaf_rn, float4, ...). The rest is spelt here:
//
//   SIMT_SHARED(T, name, [N][M]);        shared memory of the block, not initialised, 16-byte
//   aligned SIMT_DYNAMIC_SHARED(name);           unsigned char* to the launch's shared_bytes,
//   16-byte aligned simt::cp_async16(to, from, valid)    16 bytes from global to shared memory, in
//   the background;
//                                        bytes from `valid` on become zero
//   simt::cp_async_commit()              closes a group of copies of this thread
//   simt::cp_async_wait<N>()             until at most the N newest groups are on their way
//   simt::ldmatrix_x4(r, row)            four 8 x 8 matrices of 16-bit elements; lane i names row
//                                        i % 8 of matrix i / 8
//   simt::ldmatrix_x4_trans(r, row)      the same, each matrix turned: for the right operand of a
//                                        product whose rows are what the product sums over
//   simt::mma_s8(d, a, b)                d += a b: 16 x 32 times 32 x 8 of int8, exact in int32
//   simt::mma_bf16(d, a, b)              d += a b: 16 x 16 times 16 x 8 of bf16, in float
//   simt::bf16x2(low, high)              two floats as bf16, to nearest even
//   simt::prmt(a, b, selector)           four bytes chosen among those of b:a; bit 3 of a selector
//                                        nibble takes eight copies of the byte's sign instead
//   simt::wait_for_predecessor()         of a launch that overlaps: what the kernel before wrote is
//                                        there from here on
//   simt::release_successor()            the kernel after may start
//
// The fragments of ldmatrix and mma lie in the lanes as the PTX manual says. Warp operations take
// the full mask, blocks are multiples of 32 threads, and no thread returns before a barrier or a
// warp operation that others reach: the host executor reports what breaks these rules.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/simt/kernel.h"
#if defined(__CUDACC__)
#include "cuda/simt/device.h"
#else
#include "cuda/simt/host.h"
#endif
