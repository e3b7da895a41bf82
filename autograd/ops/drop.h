// What dropout and drop_path share.
#pragma once

#include "autograd/variable.h"

namespace shiftadd::autograd {

/// Groups of `group` elements are dropped with `probability` in [0, 1); the others are divided by
/// the rest.
Variable drop(const char* op, const Variable& x, double probability, int64_t group, uint64_t seed,
              uint64_t stream);

}  // namespace shiftadd::autograd
