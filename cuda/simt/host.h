// The vocabulary on the host: CUDA's spelling for g++ and clang, over the executor.
#pragma once

#include <cstdint>

#include "cuda/simt/host_math.h"
#include "cuda/simt/mma_host.h"
#include "cuda/simt/running.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

// Code of the executor that is compiled into kernel files: its own accesses are not the kernel's.
#define SIMT_UNCHECKED __attribute__((no_sanitize("thread")))
// The last parameters of what reports its place in the kernel.
#define SIMT_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

#define SIMT_SHARED(T, name, dimensions)                          \
  using simt_type_of_##name = T dimensions;                       \
  static const char simt_key_of_##name = 0;                       \
  simt_type_of_##name& name = *static_cast<simt_type_of_##name*>( \
      ::shiftadd::simt::shared_array(&simt_key_of_##name, #name, sizeof(simt_type_of_##name)))

#define SIMT_DYNAMIC_SHARED(name) unsigned char* const name = ::shiftadd::simt::dynamic_shared()

#define threadIdx (::shiftadd::simt::thread_index())
#define blockIdx (::shiftadd::simt::block_index())
#define blockDim (::shiftadd::simt::block_size())
#define gridDim (::shiftadd::simt::grid_size())

namespace shiftadd::simt {

SIMT_UNCHECKED inline uint3 thread_index() { return running_thread->index; }
SIMT_UNCHECKED inline uint3 block_index() { return running_block.index; }
SIMT_UNCHECKED inline uint3 block_size() { return running_block.size; }
SIMT_UNCHECKED inline uint3 grid_size() { return running_block.grid; }
SIMT_UNCHECKED inline int lane_index() { return static_cast<int>(running_thread->lane); }

// ---- Warp operations ----

struct ShuffleOperand {
  uint64_t value = 0, result = 0;
  int source = 0;  // lane
};
void shuffle_lanes(void* const* operands, uint32_t mask);

struct VoteOperand {
  bool vote = false;
  uint32_t votes = 0;
};
void collect_votes(void* const* operands, uint32_t mask);

struct ReduceOperand {
  int64_t value = 0, result = 0;
};
void add_lanes(void* const* operands, uint32_t mask);
void max_lanes(void* const* operands, uint32_t mask);

template <class T>
SIMT_UNCHECKED T shuffle(uint32_t mask, T value, int source, const Site& site) {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                "shuffles move 4 or 8 bytes");
  ShuffleOperand operand;
  __builtin_memcpy(&operand.value, &value, sizeof(T));
  operand.source = source;
  warp_operation(mask, shuffle_lanes, &operand, site);
  __builtin_memcpy(&value, &operand.result, sizeof(T));
  return value;
}

SIMT_UNCHECKED inline uint32_t vote(uint32_t mask, bool mine, const Site& site) {
  VoteOperand operand{mine};
  warp_operation(mask, collect_votes, &operand, site);
  return operand.votes;
}

template <class T>
SIMT_UNCHECKED T reduce(uint32_t mask, T value, WarpFunction function, const Site& site) {
  static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned>,
                "reductions take int or unsigned");
  ReduceOperand operand{value};
  warp_operation(mask, function, &operand, site);
  return static_cast<T>(operand.result);
}

// ---- What CUDA C++ has no name for ----

SIMT_UNCHECKED inline void cp_async16(void* shared, const void* global, int valid_bytes = 16,
                                      SIMT_SITE) {
  copy_async(shared, global, valid_bytes, {"cp_async16", file, line});
}
inline void cp_async_commit() { commit_copies(); }
template <int kGroups>
void cp_async_wait() {
  wait_for_copies(kGroups);
}

SIMT_UNCHECKED inline void ldmatrix_x4(uint32_t (&r)[4], const void* row, SIMT_SITE) {
  load_matrices(r, row, false, {"ldmatrix_x4", file, line});
}
SIMT_UNCHECKED inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row, SIMT_SITE) {
  load_matrices(r, row, true, {"ldmatrix_x4_trans", file, line});
}

SIMT_UNCHECKED inline void mma_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                  SIMT_SITE) {
  MmaOperand operand{d, a, b};
  warp_operation(~0u, multiply_s8, &operand, {"mma_s8", file, line});
}
SIMT_UNCHECKED inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                    SIMT_SITE) {
  MmaOperand operand{d, a, b};
  warp_operation(~0u, multiply_bf16, &operand, {"mma_bf16", file, line});
}

// Every NaN becomes the one of the instruction.
inline uint32_t bf16x2(float low, float high) {
  const auto bf16 = [](float x) {
    const auto bits = static_cast<uint32_t>(__float_as_int(x));
    return x != x ? 0x7fffU : (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
  };
  return bf16(high) << 16 | bf16(low);
}

inline uint32_t prmt(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = uint64_t{b} << 32 | a;
  uint32_t r = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t nibble = selector >> 4 * i & 0xf;
    const uint32_t byte = bytes >> 8 * (nibble & 7) & 0xff;
    const uint32_t sign = byte & 0x80 ? 0xff : 0;
    r |= (nibble & 8 ? sign : byte) << 8 * i;
  }
  return r;
}

inline void wait_for_predecessor() { wait_for_kernel_before(); }
inline void release_successor() { release_kernel_after(); }

}  // namespace shiftadd::simt

// ---- Barriers ----

SIMT_UNCHECKED inline void __syncthreads(SIMT_SITE) {
  shiftadd::simt::block_barrier({"__syncthreads", file, line});
}
SIMT_UNCHECKED inline void __syncwarp(uint32_t mask = ~0u, SIMT_SITE) {
  shiftadd::simt::warp_barrier(mask, {"__syncwarp", file, line});
}
inline void __threadfence() {}  // one thread of the system runs all

// ---- Shuffles, within segments of `width` lanes, a power of two ----

template <class T>
SIMT_UNCHECKED T __shfl_sync(uint32_t mask, T value, int source, int width = 32, SIMT_SITE) {
  const int segment = shiftadd::simt::lane_index() & ~(width - 1);
  return shiftadd::simt::shuffle(mask, value, segment | (source & (width - 1)),
                                 {"__shfl_sync", file, line});
}
template <class T>
SIMT_UNCHECKED T __shfl_xor_sync(uint32_t mask, T value, int bits, int width = 32, SIMT_SITE) {
  const int lane = shiftadd::simt::lane_index(), source = lane ^ bits;
  const bool is_before_or_inside = source < (lane & ~(width - 1)) + width;
  return shiftadd::simt::shuffle(mask, value, is_before_or_inside ? source : lane,
                                 {"__shfl_xor_sync", file, line});
}
template <class T>
SIMT_UNCHECKED T __shfl_down_sync(uint32_t mask, T value, unsigned lanes, int width = 32,
                                  SIMT_SITE) {
  const int lane = shiftadd::simt::lane_index(), source = lane + static_cast<int>(lanes);
  const bool is_inside = source < (lane & ~(width - 1)) + width;
  return shiftadd::simt::shuffle(mask, value, is_inside ? source : lane,
                                 {"__shfl_down_sync", file, line});
}
template <class T>
SIMT_UNCHECKED T __shfl_up_sync(uint32_t mask, T value, unsigned lanes, int width = 32, SIMT_SITE) {
  const int lane = shiftadd::simt::lane_index(), source = lane - static_cast<int>(lanes);
  const bool is_inside = source >= (lane & ~(width - 1));
  return shiftadd::simt::shuffle(mask, value, is_inside ? source : lane,
                                 {"__shfl_up_sync", file, line});
}

// ---- Votes and sums over a warp ----

SIMT_UNCHECKED inline unsigned __ballot_sync(uint32_t mask, int predicate, SIMT_SITE) {
  return shiftadd::simt::vote(mask, predicate != 0, {"__ballot_sync", file, line});
}
SIMT_UNCHECKED inline int __any_sync(uint32_t mask, int predicate, SIMT_SITE) {
  return shiftadd::simt::vote(mask, predicate != 0, {"__any_sync", file, line}) != 0;
}
SIMT_UNCHECKED inline int __all_sync(uint32_t mask, int predicate, SIMT_SITE) {
  return shiftadd::simt::vote(mask, predicate != 0, {"__all_sync", file, line}) == mask;
}
template <class T>
SIMT_UNCHECKED T __reduce_add_sync(uint32_t mask, T value, SIMT_SITE) {
  return shiftadd::simt::reduce(mask, value, shiftadd::simt::add_lanes,
                                {"__reduce_add_sync", file, line});
}
template <class T>
SIMT_UNCHECKED T __reduce_max_sync(uint32_t mask, T value, SIMT_SITE) {
  return shiftadd::simt::reduce(mask, value, shiftadd::simt::max_lanes,
                                {"__reduce_max_sync", file, line});
}

// ---- Memory ----

template <class T>
T __ldg(const T* p) {
  return *p;
}

// The value before. One thread of the system runs all threads, so plain accesses do.
SIMT_UNCHECKED inline int atomicAdd(int* p, int value, SIMT_SITE) {
  shiftadd::simt::before_atomic(p, sizeof *p, {"atomicAdd", file, line});
  const int before = *p;
  *p = static_cast<int>(static_cast<unsigned>(before) + static_cast<unsigned>(value));
  return before;
}
SIMT_UNCHECKED inline unsigned atomicAdd(unsigned* p, unsigned value, SIMT_SITE) {
  shiftadd::simt::before_atomic(p, sizeof *p, {"atomicAdd", file, line});
  const unsigned before = *p;
  *p = before + value;
  return before;
}
SIMT_UNCHECKED inline float atomicAdd(float* p, float value, SIMT_SITE) {
  shiftadd::simt::before_atomic(p, sizeof *p, {"atomicAdd", file, line});
  const float before = *p;
  *p = before + value;
  return before;
}
SIMT_UNCHECKED inline int atomicMax(int* p, int value, SIMT_SITE) {
  shiftadd::simt::before_atomic(p, sizeof *p, {"atomicMax", file, line});
  const int before = *p;
  *p = value > before ? value : before;
  return before;
}
