// Checks the inputs of ops, and decides what is recorded and where gradients are written.
#include "autograd/ops/support.h"

#include "autograd/tape.h"

namespace shiftadd::autograd {

bool wants_gradient(const Variable& input) { return input.defined() && input.requires_grad(); }

bool will_record(const std::vector<Variable>& inputs) {
  if (!recording()) return false;
  for (const Variable& input : inputs) {
    if (wants_gradient(input)) return true;
  }
  return false;
}

Tensor reuse(const Tensor& gradient) {
  return gradient.use_count() == 1 ? gradient : Tensor(gradient.shape(), gradient.dtype());
}

ParameterGradient::ParameterGradient(const Variable& parameter) {
  if (!wants_gradient(parameter) || !recording()) return;
  wanted_ = true;
  shape_ = parameter.shape();
  dtype_ = parameter.dtype();
  if (!parameter.impl()->node) leaf_ = parameter;
}

Tensor ParameterGradient::target() {
  if (!wanted_) return {};
  if (leaf_.defined()) return accumulator_of(leaf_);
  if (!target_.defined()) target_ = Tensor::zeros(shape_, dtype_);
  return target_;
}

void check_defined(const char* op, const char* name, const Variable& x) {
  if (!x.defined()) throw user_error("[", op, "] ", name, " is undefined");
}

void check_rank(const char* op, const char* name, const Variable& x, int rank) {
  check_defined(op, name, x);
  if (x.value().rank() != rank)
    throw user_error("[", op, "] ", name, " is ", x.shape(), ": expected ", rank, " dimensions");
}

void check_min_rank(const char* op, const char* name, const Variable& x, int rank) {
  check_defined(op, name, x);
  if (x.value().rank() < rank)
    throw user_error("[", op, "] ", name, " is ", x.shape(), ": expected at least ", rank,
                     rank == 1 ? " dimension" : " dimensions");
}

void check_shape(const char* op, const char* name, const Shape& actual, const Shape& expected) {
  if (actual != expected)
    throw user_error("[", op, "] ", name, " is ", actual, ": expected ", expected);
}

void check_same_dtype(const char* op, const Variable& x, std::initializer_list<Variable> others) {
  for (const Variable& other : others) {
    if (other.defined() && other.dtype() != x.dtype())
      throw user_error("[", op, "] inputs are ", x.dtype(), " and ", other.dtype(),
                       ": expected one dtype for all");
  }
}

int64_t rows_of(const Tensor& x) { return x.dim(-1) ? x.numel() / x.dim(-1) : 0; }

}  // namespace shiftadd::autograd
