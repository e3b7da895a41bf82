// How a residual branch joins the stream while training: dropout, then drop path, then the sum.
#pragma once

#include <cstdint>

#include "layers/module.h"

namespace shiftadd::layers {

struct Branch {
  double dropout = 0, drop_path = 0;
  uint64_t seed = 0, dropout_stream = 0, drop_path_stream = 0;

  /// Nothing is dropped: the sum can be fused into the branch's last product.
  bool plain() const { return dropout == 0 && drop_path == 0; }
  Variable add(const Variable& residual, const Variable& branch) const;
};

}  // namespace shiftadd::layers
