// The temperature of a head's scores as an input of attention on codes.
#pragma once

#include "autograd/ops/attention_inputs.h"

namespace shiftadd::autograd {

/// Throws Error unless temperature is undefined, or (heads) of the other inputs' type; and unless
/// the codes are whole numbers.
inline void check_scores(const char* op, const AttentionInputs& in, Codes codes,
                         const Variable& temperature) {
  if (codes != Codes::kSign && codes != Codes::kBipolar2)
    throw user_error("[", op, "] codes are neither signs nor bipolar2");
  if (!temperature.defined()) return;
  check_shape(op, "temperature", temperature.shape(), {in.shape.heads});
  if (temperature.dtype() != in.dtype())
    throw user_error("[", op, "] temperature is ", temperature.dtype(), ": expected ", in.dtype());
}

/// What kernels read of the scores.
class Scores {
 public:
  Scores(Codes codes, double scale, const Variable& temperature) : codes_(codes), scale_(scale) {
    if (temperature.defined()) temperature_ = temperature.value();
  }
  template <class T>
  ScoreArgs<T> args() const {
    return {codes_, scale_, pointer<T>(temperature_)};
  }

 private:
  Codes codes_;
  double scale_;
  Tensor temperature_;
};

/// Its gradient: kernels write each image's part, which are added in their order.
class TemperatureGradient {
 public:
  explicit TemperatureGradient(const Variable& temperature) : sum_(temperature) {}
  /// Room for the parts; undefined where no gradient is wanted.
  Tensor parts(const AttentionShape& shape, DType dtype) const {
    return sum_.wanted() ? Tensor({shape.batch, shape.heads}, dtype) : Tensor();
  }
  template <class T>
  void add(const Tensor& parts) {
    if (parts.defined())
      kernels<T>().column_sum(
          {parts.dim(0), parts.dim(1), parts.data<T>(), sum_.target().template data<T>()});
  }
  Tensor result() const { return sum_.result(); }

 private:
  ParameterGradient sum_;
};

}  // namespace shiftadd::autograd
