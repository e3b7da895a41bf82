// The temperature of a head's scores as an input of attention on codes.
#pragma once

#include "autograd/ops/attention_inputs.h"

namespace shiftadd::autograd {

/// Throws Error unless temperature is undefined, or (heads) of the other inputs' type; and unless
/// the codes are whole numbers.
inline void check_scores(const char* op, const AttentionInputs& in, Codes codes,
                         const Variable& temperature) {
  if (!is_whole(codes)) throw user_error("[", op, "] codes are neither signs nor bipolar2");
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

/// The result of an attention on codes whose inputs are those of `in` and the temperature.
/// backward(x, dx, dout, parts), a template over the type, calls the kernel: x and dx are where q,
/// k and v and their gradients lie, and parts (B, heads), or null where the temperature wants no
/// gradient, takes each image's part of it; parts are added in their order.
template <class Backward>
Variable coded_attention(const char* op, const Tensor& out, const AttentionInputs& in,
                         const Variable& temperature, Backward backward) {
  std::vector<Variable> inputs = in.variables;
  inputs.push_back(temperature);
  ParameterGradient sum(temperature);
  return make_result(
      op, out, std::move(inputs),
      [=, x = in.values, s = in.shape](const Tensor& dout) mutable -> std::vector<Tensor> {
        AttentionTensors dx = x.gradients(s);
        Tensor parts;
        if (sum.wanted()) parts = Tensor({s.batch, s.heads}, dout.dtype());
        dispatch(dout.dtype(), [&]<class T>() {
          backward(x, dx, dout, pointer<T>(parts));
          if (parts.defined())
            kernels<T>().column_sum(
                {s.batch, s.heads, parts.data<T>(), sum.target().template data<T>()});
        });
        dx.tensors.push_back(sum.result());
        return dx.tensors;
      });
}

}  // namespace shiftadd::autograd
