// The host executor: runs kernels on the calling thread, one fiber per CUDA thread, and reports
// what breaks the rules of the vocabulary. Plain builds find what a run stumbles over (divergent or
// missing partners of barriers and warp operations, launch limits); programs whose kernels are
// compiled with -fsanitize=thread and linked to checker.cpp also find races, accesses out of bounds
// and reads of what nothing has written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/simt/kernel.h"

namespace shiftadd::simt {

/// In which order blocks, warps and lanes run, as far as the kernel leaves a choice. A kernel that
/// is right gives the same results in each.
enum class Order { kForward, kReverse, kRandom };

struct Options {
  Order order = Order::kForward;
  uint64_t seed = 1;       // of kRandom
  bool truncates = false;  // mma_bf16 adds as tensor cores may: aligned to the largest, cut off
};
Options& options();

/// Runs the kernel to its end. A fault of the kernel adds to the reports, and ends the run early if
/// it cannot go on; it neither throws nor hangs. Throws failure() where the system has no memory
/// for it. One thread at a time.
void run(const Kernel& kernel, const Shape& shape, const void* args);

/// What runs the blocks of every launch in place of the fibers, if there is one: an interpreter of
/// what another compiler made of the kernels. Its faults are reports too (reports.h).
using Interpreter = void (*)(const Kernel& kernel, const Shape& shape, const void* args);
inline Interpreter interpreter = nullptr;

/// The faults found since the last call; none if empty.
std::vector<std::string> take_reports();

/// How many kernels were run since the program began.
uint64_t launches();

}  // namespace shiftadd::simt
