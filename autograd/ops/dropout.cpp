// Dropout (Srivastava et al. 2014): elements are dropped one by one.
#include "autograd/ops.h"
#include "autograd/ops/drop.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable dropout(const Variable& x, double probability, uint64_t seed, uint64_t stream) {
  check_defined("dropout", "input", x);
  return drop("dropout", x, probability, 1, seed, stream);
}

}  // namespace shiftadd::autograd
