// Operands of the products that shiftadd-bench times.
#pragma once

#include <cstdint>

#include "core/tensor.h"

namespace shiftadd::tools {

/// Uniform within +-1; each stream of each seed has its own numbers.
Tensor random_floats(Shape shape, uint64_t stream, uint64_t seed = 0);

}  // namespace shiftadd::tools
