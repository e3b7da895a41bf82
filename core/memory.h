// The arena behind every tensor: one reserved address range, first fit, coalescing, with peak
// counters.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shiftadd {

inline constexpr std::size_t kAlignment = 64;  // one cache line, one zmm register

/// bytes >= 0; the block is 64-byte aligned and uninitialised. Freed blocks stay mapped and are
/// used again lowest address first, so that a training step faults no page after the first. Throws
/// Error (failure) when memory runs out. Thread-safe.
void* allocate(std::size_t bytes);
void deallocate(void* block, std::size_t bytes) noexcept;

struct MemoryStats {
  std::size_t in_use = 0;    // bytes handed out now
  std::size_t peak = 0;      // most bytes handed out at one time since the last reset
  std::size_t reserved = 0;  // high-water mark of the arena: what it can add to the resident size
  uint64_t allocations = 0;
};
MemoryStats memory_stats();
void reset_peak_memory();

/// Resident-set peak of this process in bytes (getrusage).
std::size_t peak_rss_bytes();

}  // namespace shiftadd
