// Linear layers whose weights are signed powers of two, made from latent float parameters at each
// forward and again at each backward, with straight-through gradients.
#include <numbers>

#include "autograd/ops.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {
namespace {

// The latent parameters: `weight` of form q, or `shift` and `sign` of form ps.
struct Latent {
  ShiftFormat format = ShiftFormat::k4Bit;
  Tensor weight, shift, sign;

  template <class T>
  Tensor quantized() const {
    const Tensor& like = weight.defined() ? weight : shift;
    Tensor result(like.shape(), like.dtype());
    if (weight.defined())
      kernels<T>().shift_quantize(
          {like.dim(0), like.dim(1), format, weight.data<T>(), result.data<T>(), nullptr, nullptr});
    else
      kernels<T>().shift_compose({like.numel(), shift.data<T>(), sign.data<T>(), result.data<T>()});
    return result;
  }
};

template <class T>
Tensor gelu_of(const Tensor& x) {
  Tensor y(x.shape(), x.dtype());
  kernels<T>().gelu({y.numel(), x.data<T>(), y.data<T>()});
  return y;
}

template <class T>
void forward(const LinearShape& s, const ShiftLinearOptions& options, const Tensor& x,
             const Latent& latent, const Tensor& bias, const Tensor& residual,
             const Tensor& quantized, const Tensor& scales, const Tensor& y) {
  Tensor active = options.input == Activation::kGelu ? gelu_of<T>(x) : x;
  if (options.int8_activations) {  // integers in, their scale in the product's epilogue
    const Tensor integers =
        options.input == Activation::kGelu ? active : Tensor(x.shape(), x.dtype());
    kernels<T>().quantize_tokens({s.rows, s.in, active.data<T>(), scales.data<T>(),
                                  integers.data<T>(), nullptr, pointer<int8_t>(quantized)});
    active = integers;
  }
  linear_forward<T>(s, active.data<T>(), latent.quantized<T>(), bias, residual, y.data<T>(),
                    scales);
}

// What backward keeps of the input, and the product's input made from it again.
struct Kept {
  Tensor x;                  // unless the int8 is enough
  Tensor quantized, scales;  // of int8 activations without gelu
  Shape shape;

  template <class T>
  Tensor restore(const LinearShape& s, const ShiftLinearOptions& options) const {
    if (quantized.defined()) {
      Tensor y(shape, scales.dtype());
      kernels<T>().dequantize_tokens(
          {s.rows, s.in, quantized.data<int8_t>(), scales.data<T>(), y.data<T>()});
      return y;
    }
    if (options.input == Activation::kNone) return x;
    const Tensor y = gelu_of<T>(x);
    if (options.int8_activations) {
      const Tensor again({s.rows}, x.dtype());
      kernels<T>().quantize_tokens(
          {s.rows, s.in, y.data<T>(), again.data<T>(), nullptr, y.data<T>(), nullptr});
    }
    return y;
  }
};

// d/dshift = d/dW W ln 2, d/dsign = d/dW, added to the parameters' gradients.
template <class T>
void add_ps_gradients(const Tensor& dw, const Tensor& w, const Tensor& dshift,
                      const Tensor& dsign) {
  if (dsign.defined()) kernels<T>().scale({dw.numel(), 1, dw.data<T>(), dsign.data<T>(), true});
  if (!dshift.defined()) return;
  kernels<T>().multiply({dw.numel(), dw.data<T>(), w.data<T>(), dw.data<T>()});
  kernels<T>().scale({dw.numel(), std::numbers::ln2, dw.data<T>(), dshift.data<T>(), true});
}

// latents: {weight} or {shift, sign}.
Variable run(const char* op, const Variable& x, const Variable& first, const Variable& second,
             const Variable& bias, const ShiftLinearOptions& options, const Variable& residual) {
  const LinearShape s = check_linear(op, x, first, bias, residual);
  if (s.in < 1)
    throw user_error("[", op, "] weight is ", first.shape(), ": expected at least one input");
  const bool ps = second.defined();
  const Latent latent{options.format, ps ? Tensor() : first.value(), ps ? first.value() : Tensor(),
                      ps ? second.value() : Tensor()};
  ParameterGradient dfirst(first), dsecond(second), db(bias);
  const bool wants_w = dfirst.wanted() || dsecond.wanted(), wants_x = wants_gradient(x);
  const bool gelu = options.input == Activation::kGelu;

  Kept kept;
  kept.shape = x.shape();
  Tensor scales;
  if (options.int8_activations) scales = Tensor({s.rows}, x.dtype());
  if (options.int8_activations && !gelu && wants_w) {
    kept.quantized = Tensor(x.shape(), DType::kI8);
    kept.scales = scales;
  } else if (gelu ? wants_w || wants_x : wants_w) {
    kept.x = x.value();
  }
  Tensor y(output_shape(x, s.out), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    forward<T>(s, options, x.value(), latent, bias.defined() ? bias.value() : Tensor(),
               residual.defined() ? residual.value() : Tensor(), kept.quantized, scales, y);
  });
  return make_result(
      op, std::move(y), {x, first, second, bias, residual},
      [s, options, kept, dfirst, dsecond, db, ps, gelu, wants_w, wants_x,
       kept_latent = wants_x || (ps && dfirst.wanted()) ? latent : Latent{},
       pass = wants_gradient(residual)](const Tensor& dy) mutable -> std::vector<Tensor> {
        Tensor dx;
        dispatch(dy.dtype(), [&]<class T>() {
          Tensor active, w;
          if (wants_w) active = kept.restore<T>(s, options);
          if (ps && wants_w) {
            const Tensor dw = Tensor::zeros({s.out, s.in}, dy.dtype());
            linear_parameter_gradients<T>(s, active.data<T>(), dy.data<T>(), dw, db.target());
            if (dfirst.wanted()) w = kept_latent.quantized<T>();
            add_ps_gradients<T>(dw, w, dfirst.target(), dsecond.target());
          } else {
            linear_parameter_gradients<T>(s, pointer<T>(active), dy.data<T>(), dfirst.target(),
                                          db.target());
          }
          if (!wants_x) return;
          if (!w.defined()) w = kept_latent.quantized<T>();
          // A restored input is ours, and its memory can serve dx.
          const bool ours = active.defined() && (gelu || options.int8_activations);
          dx = ours ? std::move(active) : Tensor(kept.shape, dy.dtype());
          linear_input_gradient<T>(s, dy.data<T>(), w, dx.data<T>(),
                                   gelu ? kept.x.data<T>() : nullptr);
        });
        return {dx, dfirst.result(), dsecond.result(), db.result(), pass ? dy : Tensor()};
      });
}

}  // namespace

Variable shift_linear(const Variable& x, const Variable& weight, const Variable& bias,
                      const ShiftLinearOptions& options, const Variable& residual) {
  return run("shift_linear", x, weight, {}, bias, options, residual);
}

Variable shift_linear_ps(const Variable& x, const Variable& shift, const Variable& sign,
                         const Variable& bias, const ShiftLinearOptions& options,
                         const Variable& residual) {
  if (options.format != ShiftFormat::k5Bit)
    throw user_error(
        "[shift_linear_ps] format is 4bit, whose row exponents come from one latent weight: "
        "expected 5bit, or form q");
  check_rank("shift_linear_ps", "shift", shift, 2);
  check_rank("shift_linear_ps", "sign", sign, 2);
  check_shape("shift_linear_ps", "sign", sign.shape(), shift.shape());
  check_same_dtype("shift_linear_ps", shift, {sign});
  return run("shift_linear_ps", x, shift, sign, bias, options, residual);
}

}  // namespace shiftadd::autograd
