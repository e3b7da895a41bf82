// Computes y = x W^T + b (+ residual), leading axes folded into one matrix product.
#include "autograd/ops/linear.h"

#include "autograd/ops.h"
#include "autograd/ops/support.h"

namespace shiftadd::autograd {

LinearShape check_linear(const char* op, const Variable& x, const Variable& weight,
                         const Variable& bias, const Variable& residual) {
  check_min_rank(op, "input", x, 1);
  check_rank(op, "weight", weight, 2);
  check_same_dtype(op, x, {weight, bias, residual});
  const LinearShape shape{rows_of(x.value()), weight.dim(1), weight.dim(0), bf16_products()};
  if (x.dim(-1) != shape.in)
    throw user_error("[", op, "] weight is ", weight.shape(), ", input is ", x.shape(),
                     ": expected last dimension ", shape.in);
  if (bias.defined()) check_shape(op, "bias", bias.shape(), {shape.out});
  if (residual.defined()) check_shape(op, "residual", residual.shape(), output_shape(x, shape.out));
  return shape;
}

Shape output_shape(const Variable& x, int64_t out) {
  Shape shape = x.shape();
  shape.back() = out;
  return shape;
}

template <class T>
void linear_forward(const LinearShape& s, const T* x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, T* y, const Tensor& row_scale, Activation input) {
  GemmArgs<T> args{s.rows, s.out, s.in, x, s.in, false, weight.data<T>(), s.in, true, y, s.out};
  args.bias = pointer<T>(bias);
  args.residual = pointer<T>(residual);
  args.ldr = s.out;
  args.row_scale = pointer<T>(row_scale);
  args.bf16 = s.bf16;
  args.a_activation = input;
  kernels<T>().gemm(args);
}
template void linear_forward(const LinearShape&, const float*, const Tensor&, const Tensor&,
                             const Tensor&, float*, const Tensor&, Activation);
template void linear_forward(const LinearShape&, const double*, const Tensor&, const Tensor&,
                             const Tensor&, double*, const Tensor&, Activation);

template <class T>
void linear_parameter_gradients(const LinearShape& s, const T* x, const T* dy,
                                const Tensor& dweight, const Tensor& dbias, Activation input) {
  if (dweight.defined()) {
    GemmArgs<T> args{s.out, s.in, s.rows, dy, s.out, true, x, s.in, false, dweight.data<T>(), s.in};
    args.accumulate = true;
    args.bf16 = s.bf16;
    args.b_activation = input;
    if (s.bf16) args.a_sums = pointer<T>(dbias);
    kernels<T>().gemm(args);
    if (s.bf16) return;
  }
  if (dbias.defined()) kernels<T>().column_sum({s.rows, s.out, dy, dbias.data<T>()});
}
template void linear_parameter_gradients(const LinearShape&, const float*, const float*,
                                         const Tensor&, const Tensor&, Activation);
template void linear_parameter_gradients(const LinearShape&, const double*, const double*,
                                         const Tensor&, const Tensor&, Activation);

template <class T>
void linear_input_gradient(const LinearShape& s, const T* dy, const Tensor& weight, T* dx,
                           const T* gelu_input) {
  GemmArgs<T> args{s.rows, s.in, s.out, dy, s.out, false, weight.data<T>(), s.in, false, dx, s.in};
  args.bf16 = s.bf16;
  args.gelu_input = gelu_input;
  kernels<T>().gemm(args);
}
template void linear_input_gradient(const LinearShape&, const float*, const Tensor&, float*,
                                    const float*);
template void linear_input_gradient(const LinearShape&, const double*, const Tensor&, double*,
                                    const double*);

Variable linear(const Variable& x, const Variable& weight, const Variable& bias,
                const Variable& residual) {
  const LinearShape s = check_linear("linear", x, weight, bias, residual);
  Tensor y(output_shape(x, s.out), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    linear_forward<T>(s, x.value().data<T>(), weight.value(),
                      bias.defined() ? bias.value() : Tensor(),
                      residual.defined() ? residual.value() : Tensor(), y.data<T>());
  });
  ParameterGradient dw(weight), db(bias);
  // Only what backward reads is kept: x for the weight's gradient, the weight for x's.
  return make_result(
      "linear", std::move(y), {x, weight, bias, residual},
      [s, dw, db, kept_x = dw.wanted() ? x.value() : Tensor(), x_shape = x.shape(),
       kept_weight = wants_gradient(x) ? weight.value() : Tensor(),
       pass = wants_gradient(residual)](const Tensor& dy) mutable -> std::vector<Tensor> {
        Tensor dx;
        dispatch(dy.dtype(), [&]<class T>() {
          linear_parameter_gradients<T>(s, pointer<T>(kept_x), dy.data<T>(), dw.target(),
                                        db.target());
          kept_x = {};  // its memory can serve dx
          if (!kept_weight.defined()) return;
          dx = Tensor(x_shape, dy.dtype());
          linear_input_gradient<T>(s, dy.data<T>(), kept_weight, dx.data<T>());
        });
        return {dx, dw.result(), db.result(), pass ? dy : Tensor()};
      });
}

}  // namespace shiftadd::autograd
