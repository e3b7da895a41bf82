// Bytes a second that threads read from each level of the memory hierarchy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/ceiling.h"

namespace shiftadd::tools {

/// What holds data of at most `bytes`; the last level, memory, holds any.
struct MemoryLevel {
  std::string name;
  int64_t bytes;
};

/// A core's first and second cache and the third, which cores share, down to the first whose size
/// the system does not know; then memory.
std::vector<MemoryLevel> memory_levels();

/// GB/s read from each of `levels` by plan.threads threads together, each from a buffer of its own.
std::vector<double> read_bandwidths(const std::vector<MemoryLevel>& levels, const PeakPlan& plan);

/// The key under which a report in JSON gives the bandwidth of `level`.
std::string read_key(const MemoryLevel& level);

}  // namespace shiftadd::tools
