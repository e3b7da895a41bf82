// Operands of the products that shiftadd-bench times.
#pragma once

#include <cstdint>
#include <utility>

#include "core/random.h"
#include "core/tensor.h"

namespace shiftadd::tools {

/// Uniform within +-1; each stream has its own numbers.
inline Tensor random_floats(Shape shape, uint64_t stream) {
  Tensor tensor(std::move(shape));
  const RandomStream values(0, stream);
  for (int64_t i = 0; i < tensor.numel(); ++i) tensor.data<float>()[i] = 2 * values.uniform(i) - 1;
  return tensor;
}

}  // namespace shiftadd::tools
