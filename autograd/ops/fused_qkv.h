// What the attention ops on a fused qkv tensor check, and the shape that they hand to kernels.
#pragma once

#include "autograd/ops/support.h"

namespace shiftadd::autograd {

/// qkv (B, N, 3 C), output (B, queries, C). `queries` may be kAllQueries. Throws Error where the
/// numbers do not fit.
AttentionShape check_fused_qkv(const char* op, const Variable& qkv, int64_t heads, int64_t queries);
/// Room for the gradient of qkv: zeros where fewer queries than tokens leave rows of dq unwritten.
Tensor fused_gradient(const Tensor& qkv, const AttentionShape& shape);
/// Throws Error unless 1 <= heads divides channels; `shape` is the input's, for the message.
void check_heads(const char* op, int64_t heads, int64_t channels, const Shape& shape);

}  // namespace shiftadd::autograd
