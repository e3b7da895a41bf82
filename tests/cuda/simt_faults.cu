// Kernels with one planted fault each where kWrong, and right where not.
#include "cuda/simt/simt.h"
#include "tests/cuda/simt_faults.h"

namespace shiftadd::cuda {

#define SIMT_PAIR(name)                                \
  SIMT_KERNEL_AS(wrong_##name, FaultArgs, name<true>); \
  SIMT_KERNEL_AS(right_##name, FaultArgs, name<false>)

constexpr unsigned kAll = 0xffffffff;
constexpr unsigned kThreads = 64;

__device__ __forceinline__ unsigned place() { return blockIdx.x * kThreads + threadIdx.x; }

// ---- Shared memory and barriers ----

template <bool kWrong>
__global__ void barrier_after_fill(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads]);
  tile[threadIdx.x] = args.in[place()];
  if (!kWrong) __syncthreads();
  args.out[place()] = tile[kThreads - 1 - threadIdx.x];
}
SIMT_PAIR(barrier_after_fill);

template <bool kWrong>
__global__ void barrier_before_refill(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads]);
  tile[threadIdx.x] = args.in[place()];
  __syncthreads();
  const uint32_t first = tile[kThreads - 1 - threadIdx.x];
  if (!kWrong) __syncthreads();
  tile[threadIdx.x] = first + 1;
  __syncthreads();
  args.out[place()] = tile[kThreads - 1 - threadIdx.x];
}
SIMT_PAIR(barrier_before_refill);

template <bool kWrong>
__global__ void warp_barrier(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads]);
  tile[threadIdx.x] = args.in[place()];
  if (!kWrong) __syncwarp();
  args.out[place()] = tile[threadIdx.x ^ 1];
}
SIMT_PAIR(warp_barrier);

// Halves of a warp that exchange among themselves, or, wrongly, with each other.
template <bool kWrong>
__global__ void partial_warp_barrier(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads]);
  tile[threadIdx.x] = args.in[place()];
  __syncwarp(threadIdx.x % 32 < 16 ? 0xffffU : 0xffff0000U);
  args.out[place()] = tile[threadIdx.x ^ (kWrong ? 16 : 15)];
}
SIMT_PAIR(partial_warp_barrier);

template <bool kWrong>
__global__ void shuffle_as_barrier(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads]);
  tile[threadIdx.x] = args.in[place()];
  const uint32_t other = __shfl_xor_sync(kAll, args.in[place()], 1);
  if (!kWrong) __syncwarp();
  args.out[place()] = tile[threadIdx.x ^ 1] + other;
}
SIMT_PAIR(shuffle_as_barrier);

template <bool kWrong>
__global__ void one_barrier(const FaultArgs args) {
  if (kWrong && threadIdx.x < 40) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  args.out[place()] = args.in[place()];
}
SIMT_PAIR(one_barrier);

template <bool kWrong>
__global__ void return_before_barrier(const FaultArgs args) {
  if (kWrong && threadIdx.x >= 40) return;
  __syncthreads();
  args.out[place()] = args.in[place()];
}
SIMT_PAIR(return_before_barrier);

template <bool kWrong>
__global__ void shared_read(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads]);
  if (!kWrong || threadIdx.x < kThreads - 1) tile[threadIdx.x] = args.in[place()];
  __syncthreads();
  args.out[place()] = tile[kThreads - 1 - threadIdx.x];
}
SIMT_PAIR(shared_read);

// ---- Asynchronous copies ----

// Each thread brings one word of four; `waits` groups may still be on their way when it reads.
template <bool kWaits, int kGroups>
__device__ __forceinline__ void copy_and_reverse(const FaultArgs& args) {
  SIMT_SHARED(uint32_t, tile, [kThreads]);
  if (threadIdx.x < kThreads / 4)
    simt::cp_async16(tile + threadIdx.x * 4, args.in + blockIdx.x * kThreads + threadIdx.x * 4);
  simt::cp_async_commit();
  if (kWaits) simt::cp_async_wait<kGroups>();
  __syncthreads();
  args.out[place()] = tile[kThreads - 1 - threadIdx.x];
  if (kWaits) simt::cp_async_wait<0>();
}

template <bool kWrong>
__global__ void copy_wait(const FaultArgs args) {
  copy_and_reverse<!kWrong, 0>(args);
}
SIMT_PAIR(copy_wait);

template <bool kWrong>
__global__ void copy_wait_in_time(const FaultArgs args) {
  copy_and_reverse<true, kWrong>(args);
}
SIMT_PAIR(copy_wait_in_time);

// Two stages: the copy of the next one runs while this one is read. Without the second barrier it
// overwrites what slower threads still read.
template <bool kWrong>
__global__ void stages(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [2][kThreads]);
  const auto load = [&](unsigned step) {
    if (threadIdx.x < kThreads / 4)
      simt::cp_async16(&tile[step % 2][threadIdx.x * 4],
                       args.in + blockIdx.x * kThreads + threadIdx.x * 4);
    simt::cp_async_commit();
  };
  uint32_t sum = 0;
  load(0);
  for (unsigned step = 0; step < 4; ++step) {
    if (step + 1 < 4) {
      load(step + 1);
      simt::cp_async_wait<1>();
    } else {
      simt::cp_async_wait<0>();
    }
    __syncthreads();
    sum += tile[step % 2][(threadIdx.x + step) % kThreads];
    if (!kWrong) __syncthreads();
  }
  args.out[place()] = sum;
}
SIMT_PAIR(stages);

template <bool kWrong>
__global__ void copy_alignment(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads * 4]);
  simt::cp_async16(tile + threadIdx.x * 4, args.in + (kWrong ? 1 : 0));
  simt::cp_async_commit();
  simt::cp_async_wait<0>();
  args.out[place()] = tile[threadIdx.x * 4];
}
SIMT_PAIR(copy_alignment);

template <bool kWrong>
__global__ void copy_target(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads * 4]);
  void* target = kWrong ? static_cast<void*>(args.out) : tile + threadIdx.x * 4;
  simt::cp_async16(target, args.in);
  simt::cp_async_commit();
  simt::cp_async_wait<0>();
}
SIMT_PAIR(copy_target);

template <bool kWrong>
__global__ void matrix_row(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads][4]);
  for (unsigned i = 0; i < 4; ++i) tile[threadIdx.x][i] = args.in[place()];
  __syncthreads();
  uint32_t r[4];
  simt::ldmatrix_x4(r, &tile[threadIdx.x][kWrong ? 1 : 0]);
  args.out[place()] = r[0];
}
SIMT_PAIR(matrix_row);

// ---- Warp operations ----

template <bool kWrong>
__global__ void return_before_shuffle(const FaultArgs args) {
  if (kWrong && threadIdx.x % 32 == 7) return;
  args.out[place()] = __shfl_xor_sync(kAll, args.in[place()], 1);
}
SIMT_PAIR(return_before_shuffle);

template <bool kWrong>
__global__ void whole_warp(const FaultArgs args) {
  uint32_t value = args.in[place()];
  if (!kWrong || threadIdx.x % 32 < 16) value = __shfl_xor_sync(kAll, value, 1);
  __syncthreads();
  args.out[place()] = value;
}
SIMT_PAIR(whole_warp);

template <bool kWrong>
__global__ void one_shuffle(const FaultArgs args) {
  uint32_t value = args.in[place()];
  if (kWrong && threadIdx.x % 32 < 16) {
    value = __shfl_xor_sync(kAll, value, 1);
  } else {
    value = __shfl_xor_sync(kAll, value, 1);
  }
  args.out[place()] = value;
}
SIMT_PAIR(one_shuffle);

template <bool kWrong>
__global__ void own_mask(const FaultArgs args) {
  if (threadIdx.x % 32 < 4) __syncwarp(kWrong ? 0x7U : 0xfU);
  args.out[place()] = args.in[place()];
}
SIMT_PAIR(own_mask);

template <bool kWrong>
__global__ void source_in_mask(const FaultArgs args) {
  uint32_t value = args.in[place()];
  if (threadIdx.x % 32 < 4) value = __shfl_sync(0xfU, value, kWrong ? 4 : 3);
  args.out[place()] = value;
}
SIMT_PAIR(source_in_mask);

// ---- Bounds ----

template <bool kWrong>
__global__ void global_write(const FaultArgs args) {
  args.out[place() + (kWrong ? 1 : 0)] = args.in[place()];
}
SIMT_PAIR(global_write);

// Four words at once, of which the last threads' lie beyond the end.
template <bool kWrong>
__global__ void wide_read(const FaultArgs args) {
  const unsigned first = place() / 4 * 4 + (kWrong ? 4 : 0);
  const uint4 words = *reinterpret_cast<const uint4*>(args.in + first);
  args.out[place()] = words.x + words.w;
}
SIMT_PAIR(wide_read);

template <bool kWrong>
__global__ void shared_write(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [kThreads]);
  SIMT_SHARED(uint32_t, behind, [kThreads]);
  behind[threadIdx.x] = 0;
  tile[threadIdx.x + (kWrong ? 1 : 0)] = args.in[place()];
  __syncthreads();
  args.out[place()] = behind[threadIdx.x];
}
SIMT_PAIR(shared_write);

template <bool kWrong>
__global__ void dynamic_shared_write(const FaultArgs args) {
  SIMT_DYNAMIC_SHARED(bytes);  // kThreads of them
  bytes[threadIdx.x + (kWrong ? 1 : 0)] = static_cast<unsigned char>(args.in[place()]);
  args.out[place()] = bytes[threadIdx.x + (kWrong ? 1 : 0)];
}
SIMT_PAIR(dynamic_shared_write);

template <bool kWrong>
__global__ void shared_size(const FaultArgs args) {
  SIMT_SHARED(uint32_t, tile, [(48 << 10) / 4 + (kWrong ? 1 : 0)]);
  tile[threadIdx.x] = 1;
  args.out[place()] = tile[threadIdx.x];
}
SIMT_PAIR(shared_size);

// ---- Blocks ----

template <bool kWrong>
__global__ void cell_of_blocks(const FaultArgs args) {
  if (threadIdx.x > 0) return;
  if (kWrong)
    args.out[0] = args.in[0] + blockIdx.x;
  else
    atomicAdd(args.out, args.in[0]);
}
SIMT_PAIR(cell_of_blocks);

template <bool kWrong>
__global__ void read_of_block(const FaultArgs args) {
  args.out[place()] = args.in[place()];
  const unsigned other = kWrong ? (blockIdx.x + 1) % gridDim.x : blockIdx.x;
  __syncthreads();
  if (args.out[other * kThreads + threadIdx.x] == 12345) args.out[place()] = 0;
}
SIMT_PAIR(read_of_block);

template <bool kWrong>
__global__ void read_after_atomic(const FaultArgs args) {
  SIMT_SHARED(unsigned, count, [1]);
  if (threadIdx.x == 0) count[0] = 0;
  __syncthreads();
  atomicAdd(count, args.in[place()]);
  if (!kWrong) __syncthreads();
  args.out[place()] = count[0];
}
SIMT_PAIR(read_after_atomic);

template <bool kWrong>
__global__ void read_beside_atomic_of_block(const FaultArgs args) {
  if (threadIdx.x > 0) return;
  const unsigned before = atomicAdd(args.out, 1U);
  if (kWrong && args.out[0] == before) args.out[1] = 0;
}
SIMT_PAIR(read_beside_atomic_of_block);

// ---- Other memory ----

template <bool kWrong>
__global__ void device_read(const FaultArgs args) {
  const uint32_t value = kWrong ? args.out[place()] : args.in[place()];
  args.out[place()] = value + 1;
}
SIMT_PAIR(device_read);

template <bool kWrong>
__global__ void host_write(const FaultArgs args) {
  uint32_t* to = kWrong ? args.host : args.out;
  to[place()] = args.in[place()];
}
SIMT_PAIR(host_write);

// A thread's own variable, whose address another thread gets through shared memory.
template <bool kWrong>
__global__ void own_variables(const FaultArgs args) {
  SIMT_SHARED(volatile uint32_t*, addresses, [kThreads]);
  volatile uint32_t mine = args.in[place()];
  addresses[threadIdx.x] = &mine;
  __syncthreads();
  args.out[place()] = *addresses[threadIdx.x ^ (kWrong ? 1 : 0)];
  __syncthreads();
}
SIMT_PAIR(own_variables);

// ---- Launches that overlap ----

__global__ void waits_first(const FaultArgs args) {
  simt::wait_for_predecessor();
  simt::release_successor();
  args.out[place()] = args.in[place()] + 1;
}
SIMT_KERNEL(waits_first, FaultArgs);

__global__ void reads_before_wait(const FaultArgs args) {
  const uint32_t value = args.in[place()];
  simt::wait_for_predecessor();
  args.out[place()] = value + 1;
}
SIMT_KERNEL(reads_before_wait, FaultArgs);

__global__ void writes_before_wait(const FaultArgs args) {
  args.out[place()] = 1;
  simt::wait_for_predecessor();
}
SIMT_KERNEL(writes_before_wait, FaultArgs);

__global__ void releases_before_wait(const FaultArgs args) {
  simt::release_successor();
  simt::wait_for_predecessor();
  args.out[place()] = args.in[place()] + 1;
}
SIMT_KERNEL(releases_before_wait, FaultArgs);

__global__ void never_waits(const FaultArgs) {}
SIMT_KERNEL(never_waits, FaultArgs);

}  // namespace shiftadd::cuda
