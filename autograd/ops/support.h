// What ops share: dtype dispatch, validation, and where gradients are written.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <vector>

#include "autograd/variable.h"
#include "core/kernels.h"

namespace shiftadd::autograd {

/// Calls body.operator()<T>() for float or double; throws Error for any other dtype.
template <class Body>
void dispatch(DType dtype, Body&& body) {
  if (dtype == DType::kF32)
    body.template operator()<float>();
  else if (dtype == DType::kF64)
    body.template operator()<double>();
  else
    throw user_error("[autograd] operations work on f32 and f64, not on ", dtype);
}

/// A pointer for an Args struct: null for an undefined tensor.
template <class T>
T* pointer(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

/// Whether an op of these inputs will be recorded: what only backward needs is not computed
/// otherwise.
bool will_record(const std::vector<Variable>& inputs);
bool wants_gradient(const Variable& input);  // defined and requires a gradient

/// `gradient` itself when the caller (the tape) holds its only handle, else a new tensor of its
/// shape: an elementwise backward writes its result there.
Tensor reuse(const Tensor& gradient);

/// Inside a backward: the gradient that other uses of input number `input` have already produced,
/// taken out of the tape (undefined if there is none). The op must add it to what it returns for
/// this input.
Tensor take_pending(std::size_t input);

/// The gradient of a weight or bias, which kernels accumulate: a leaf's own gradient in place, or,
/// for a computed weight, a zeroed tensor that the backward returns. Holds no history.
class ParameterGradient {
 public:
  explicit ParameterGradient(const Variable& parameter);
  bool wanted() const { return wanted_; }
  Tensor target();  // undefined when not wanted
  Tensor result() const { return leaf_.defined() ? Tensor() : target_; }

 private:
  bool wanted_ = false;
  Variable leaf_;
  Shape shape_;
  DType dtype_ = DType::kF32;
  Tensor target_;
};

// --- validation: each throws Error "[op] name is SHAPE: expected ..."
void check_defined(const char* op, const char* name, const Variable& x);
void check_rank(const char* op, const char* name, const Variable& x, int rank);
void check_min_rank(const char* op, const char* name, const Variable& x, int rank);
void check_shape(const char* op, const char* name, const Shape& actual, const Shape& expected);
void check_same_dtype(const char* op, const Variable& x, std::initializer_list<Variable> others);

/// Rows of a tensor seen as a matrix whose columns are the last axis.
int64_t rows_of(const Tensor& x);

}  // namespace shiftadd::autograd
