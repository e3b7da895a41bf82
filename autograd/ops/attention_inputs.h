// Where an attention op finds q, k and v: in one tensor, in two or in three.
#pragma once

#include <vector>

#include "autograd/ops/support.h"

namespace shiftadd::autograd {

/// The tensors that q, k and v lie in, and the column of a tensor's rows where each begins.
struct AttentionTensors {
  struct Part {
    std::size_t tensor = 0;
    int64_t column = 0;
  };

  std::vector<Tensor> tensors;
  Part q, k, v;

  template <class T>
  T* at(const Part& part) const {
    return tensors[part.tensor].data<T>() + part.column;
  }
  /// Room for their gradients: zeros where fewer queries than tokens leave rows of dq unwritten.
  AttentionTensors gradients(const AttentionShape& shape) const;
};

/// Checked inputs of an attention: its output is (B, queries, C).
struct AttentionInputs {
  AttentionShape shape;
  AttentionTensors values;
  std::vector<Variable> variables;  // of values.tensors

  DType dtype() const { return values.tensors.front().dtype(); }
  Tensor output() const {
    return Tensor({shape.batch, shape.queries, shape.heads * shape.head_dim}, dtype());
  }
};

/// qkv (B, N, 3 C); `queries` may be kAllQueries. All throw Error where the numbers do not fit.
AttentionInputs fused_inputs(const char* op, const Variable& qkv, int64_t heads, int64_t queries);
/// q (B, N, C), kv (B, M, 2 C).
AttentionInputs paired_inputs(const char* op, const Variable& q, const Variable& kv, int64_t heads);
/// q (B, N, C), k and v (B, M, C).
AttentionInputs separate_inputs(const char* op, const Variable& q, const Variable& k,
                                const Variable& v, int64_t heads);
/// What softmax multiplies q k^T by: `given`, or, where that is kUsualScale, 1 / sqrt(code_dim).
/// Throws Error unless it is finite and positive.
double attention_scale(const char* op, double given, const AttentionShape& shape);
/// Throws Error unless paired inputs have as many keys as queries.
void check_one_key_a_query(const char* op, const AttentionInputs& in);
/// Throws Error unless 1 <= heads divides channels; `shape` is the input's, for the message.
void check_heads(const char* op, int64_t heads, int64_t channels, const Shape& shape);

}  // namespace shiftadd::autograd
