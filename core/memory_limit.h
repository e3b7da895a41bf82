// What this machine lets the process allocate, and the refusal of work that needs more: before it
// begins, not when the kernel ends it.
#pragma once

#include <string>
#include <vector>

namespace shiftadd {

/// In bytes, infinite where nothing limits it. `what` names the limit: "available on this machine".
struct MemoryLimit {
  double bytes;
  std::string what;
};

/// The least of: available memory and free swap; what the control groups of the process (version 1
/// or 2, and those above it) leave; RLIMIT_AS and RLIMIT_DATA, less what is resident. Memory that
/// the kernel would give back counts as free. `root` stands before /proc and /sys (for tests).
MemoryLimit memory_limit(const std::string& root = "");

/// One kind of thing that will be in memory. Bytes are a double, which no size overflows.
struct MemoryUse {
  std::string what;  // "activations of 128 images"
  double bytes;
  std::string keys;  // what makes it smaller: "train.batch, model.width"
};

/// Throws Error (user) where the uses together are more than the limit: "WHAT needs about 12.3 GiB
/// of memory (...): ...". It says what there is, and the keys of those that matter. Estimates
/// given to it are to be low rather than high: nothing that would run may be refused.
void require_memory(const std::string& what, const std::vector<MemoryUse>& uses,
                    const MemoryLimit& limit = memory_limit());

/// "12.3 GiB", "640.0 MiB".
std::string memory_text(double bytes);

}  // namespace shiftadd
