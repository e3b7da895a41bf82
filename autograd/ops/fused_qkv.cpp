// Checks a fused qkv tensor and its number of heads, and computes the strides of q, k and v in it.
#include "autograd/ops/fused_qkv.h"

#include "autograd/ops.h"

namespace shiftadd::autograd {

void check_heads(const char* op, int64_t heads, int64_t channels, const Shape& shape) {
  if (heads < 1 || channels % heads)
    throw user_error("[", op, "] input is ", shape, " with ", heads,
                     " heads: expected a number of heads that divides ", channels);
}

AttentionShape check_fused_qkv(const char* op, const Variable& qkv, int64_t heads,
                               int64_t queries) {
  check_rank(op, "qkv", qkv, 3);
  const int64_t batch = qkv.dim(0), tokens = qkv.dim(1), channels = qkv.dim(2) / 3;
  if (qkv.dim(2) % 3)
    throw user_error("[", op, "] qkv is ", qkv.shape(),
                     ": expected a last dimension divisible by 3");
  check_heads(op, heads, channels, qkv.shape());
  if (queries == kAllQueries) queries = tokens;
  if (queries < 1 || queries > tokens)
    throw user_error("[", op, "] ", queries, " queries of ", tokens, " tokens");
  const int64_t d = channels / heads;
  const int64_t row = 3 * channels, image = tokens * row;
  return {batch,    heads, queries, tokens, d,     d,   image, row,
          d,        image, row,     d,      image, row, d,     queries * channels,
          channels, d};
}

Tensor fused_gradient(const Tensor& qkv, const AttentionShape& shape) {
  return shape.queries < shape.keys ? Tensor::zeros(qkv.shape(), qkv.dtype())
                                    : Tensor(qkv.shape(), qkv.dtype());
}

}  // namespace shiftadd::autograd
