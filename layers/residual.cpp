// Applies dropout and drop path to a branch, and adds the result to the residual.
#include "layers/residual.h"

#include "autograd/ops.h"

namespace shiftadd::layers {

Variable Branch::add(const Variable& residual, const Variable& branch) const {
  const Variable kept = autograd::dropout(branch, dropout, seed, dropout_stream);
  return autograd::add(residual, autograd::drop_path(kept, drop_path, seed, drop_path_stream));
}

}  // namespace shiftadd::layers
