// What the vocabulary on the host (host.h) asks of the executor for the thread that is running.
#pragma once

#include <cstddef>
#include <cstdint>

struct uint3 {
  unsigned x, y, z;
};

namespace shiftadd::simt {

/// The place in a kernel that calls: "__syncthreads", "gemm.cu", 41.
struct Site {
  const char* operation = "";
  const char* file = "";
  int line = 0;
};

struct RunningThread {
  uint3 index{};
  unsigned number = 0;  // in its block
  unsigned warp = 0, lane = 0;
};
inline RunningThread* running_thread = nullptr;

struct RunningBlock {
  uint3 index{}, size{}, grid{};
};
inline RunningBlock running_block;

/// All threads of the block go on when all have come.
void block_barrier(const Site& site);

/// All lanes of the mask go on when all have come; the last one calls the function for all of
/// them, with the operand of each lane of the mask.
using WarpFunction = void (*)(void* const* operands, uint32_t mask);
void warp_operation(uint32_t mask, WarpFunction function, void* operand, const Site& site);
/// A warp operation without operands that also orders the lanes' accesses to memory.
void warp_barrier(uint32_t mask, const Site& site);

void* shared_array(const void* key, const char* name, std::size_t bytes);
unsigned char* dynamic_shared();

void copy_async(void* shared, const void* global, int valid_bytes, const Site& site);
void commit_copies();
void wait_for_copies(int groups);

/// Four matrices of 8 x 8; turned: a lane gets elements of a column instead of a row.
void load_matrices(uint32_t* registers, const void* row, bool turned, const Site& site);

void wait_for_kernel_before();
void release_kernel_after();

/// Called before an atomic operation on the bytes.
void before_atomic(const void* p, std::size_t bytes, const Site& site);

}  // namespace shiftadd::simt
