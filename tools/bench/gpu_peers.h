// cuBLASLt's products at the shapes of our kernels, beside which they stand in the report.
#pragma once

#include <string>
#include <vector>

#include "cuda/device.h"
#include "tools/bench/gpu_parts.h"

namespace shiftadd::tools {

/// So many products of (rows, inputs) by (outputs, inputs) transposed, in one launch.
struct PeerProducts {
  int64_t count, rows, outputs, inputs;
};

/// Adds a row for each of int8, bf16 and tf32: what cuBLASLt takes for these launches on random
/// numbers, the sums alone: no scales, bias, norm, exponential or GELU. `part`: the row without a
/// kernel and figures; `what`: which products, in words, or empty for one that needs none. Where
/// there is no such product, found.no_library says why.
void time_peers(cuda::Device& device, const PartTime& part, const std::string& what,
                const std::vector<PeerProducts>& launches, uint32_t times, PartTimes& found);

}  // namespace shiftadd::tools
