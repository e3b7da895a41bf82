// Checks the inputs of attention ops, and computes the strides of q, k and v in them.
#include "autograd/ops/attention_inputs.h"

#include <cmath>
#include <utility>

#include "autograd/ops.h"

namespace shiftadd::autograd {
namespace {

// Parts of tensors whose rows are q_row, k_row and v_row long.
AttentionShape shape_of(int64_t batch, int64_t heads, int64_t queries, int64_t tokens, int64_t keys,
                        int64_t channels, int64_t q_row, int64_t k_row, int64_t v_row) {
  const int64_t d = channels / heads;
  return {.batch = batch,
          .heads = heads,
          .queries = queries,
          .keys = keys,
          .code_dim = d,
          .head_dim = d,
          .q_batch = tokens * q_row,
          .q_row = q_row,
          .q_head = d,
          .k_batch = keys * k_row,
          .k_row = k_row,
          .k_head = d,
          .v_batch = keys * v_row,
          .v_row = v_row,
          .v_head = d,
          .o_batch = queries * channels,
          .o_row = channels,
          .o_head = d};
}

}  // namespace

void check_heads(const char* op, int64_t heads, int64_t channels, const Shape& shape) {
  if (heads < 1 || channels % heads)
    throw user_error("[", op, "] input is ", shape, " with ", heads,
                     " heads: expected a number of heads that divides ", channels);
}

void check_one_key_a_query(const char* op, const AttentionInputs& in) {
  if (in.shape.queries != in.shape.keys)
    throw user_error("[", op, "] q is ", in.variables[0].shape(), ", kv is ",
                     in.variables[1].shape(), ": expected a key for each query");
}

double attention_scale(const char* op, double given, const AttentionShape& shape) {
  if (!std::isfinite(given) || given < 0)
    throw user_error("[", op, "] scale is ", given,
                     ": expected a finite positive number, or 0 for 1 / sqrt(width)");
  return score_scale(given, shape.code_dim);
}

AttentionTensors AttentionTensors::gradients(const AttentionShape& shape) const {
  AttentionTensors result = *this;
  const bool unwritten = shape.queries * shape.q_row < shape.q_batch;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    result.tensors[i] = unwritten && i == q.tensor
                            ? Tensor::zeros(tensors[i].shape(), tensors[i].dtype())
                            : Tensor(tensors[i].shape(), tensors[i].dtype());
  return result;
}

AttentionInputs fused_inputs(const char* op, const Variable& qkv, int64_t heads, int64_t queries) {
  check_rank(op, "qkv", qkv, 3);
  const int64_t batch = qkv.dim(0), tokens = qkv.dim(1), channels = qkv.dim(2) / 3;
  if (qkv.dim(2) % 3)
    throw user_error("[", op, "] qkv is ", qkv.shape(),
                     ": expected a last dimension divisible by 3");
  check_heads(op, heads, channels, qkv.shape());
  if (queries == kAllQueries) queries = tokens;
  if (queries < 1 || queries > tokens)
    throw user_error("[", op, "] ", queries, " queries of ", tokens, " tokens");
  const int64_t row = 3 * channels;
  return {shape_of(batch, heads, queries, tokens, tokens, channels, row, row, row),
          {{qkv.value()}, {0, 0}, {0, channels}, {0, 2 * channels}},
          {qkv}};
}

AttentionInputs paired_inputs(const char* op, const Variable& q, const Variable& kv,
                              int64_t heads) {
  check_rank(op, "q", q, 3);
  check_rank(op, "kv", kv, 3);
  check_same_dtype(op, q, {kv});
  const int64_t batch = q.dim(0), queries = q.dim(1), channels = q.dim(2), keys = kv.dim(1);
  check_shape(op, "kv", kv.shape(), {batch, keys, 2 * channels});
  check_heads(op, heads, channels, q.shape());
  const int64_t row = 2 * channels;
  return {shape_of(batch, heads, queries, queries, keys, channels, channels, row, row),
          {{q.value(), kv.value()}, {0, 0}, {1, 0}, {1, channels}},
          {q, kv}};
}

AttentionInputs separate_inputs(const char* op, const Variable& q, const Variable& k,
                                const Variable& v, int64_t heads) {
  check_rank(op, "q", q, 3);
  check_rank(op, "k", k, 3);
  check_same_dtype(op, q, {k, v});
  const int64_t batch = q.dim(0), queries = q.dim(1), channels = q.dim(2), keys = k.dim(1);
  check_shape(op, "k", k.shape(), {batch, keys, channels});
  check_defined(op, "v", v);
  check_shape(op, "v", v.shape(), {batch, keys, channels});
  check_heads(op, heads, channels, q.shape());
  return {shape_of(batch, heads, queries, queries, keys, channels, channels, channels, channels),
          {{q.value(), k.value(), v.value()}, {0, 0}, {1, 0}, {2, 0}},
          {q, k, v}};
}

}  // namespace shiftadd::autograd
