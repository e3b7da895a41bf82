// Fills the operands of the products that shiftadd-bench times with random numbers.
#include "tools/bench/operands.h"

#include <utility>

#include "core/random.h"

namespace shiftadd::tools {

Tensor random_floats(Shape shape, uint64_t stream, uint64_t seed) {
  Tensor tensor(std::move(shape));
  const RandomStream values(seed, stream);
  for (int64_t i = 0; i < tensor.numel(); ++i) tensor.data<float>()[i] = 2 * values.uniform(i) - 1;
  return tensor;
}

}  // namespace shiftadd::tools
