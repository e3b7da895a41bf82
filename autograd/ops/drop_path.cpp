// Stochastic depth (Huang et al. 2016): a whole image's residual branch is dropped.
#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/drop.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

Variable drop_path(const Variable& x, double probability, uint64_t seed, uint64_t stream) {
  check_min_rank("drop_path", "input", x, 1);
  const int64_t group = x.value().numel() / std::max<int64_t>(1, x.dim(0));
  return drop("drop_path", x, probability, std::max<int64_t>(1, group), seed, stream);
}

}  // namespace shiftadd::autograd
