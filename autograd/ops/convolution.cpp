// Checks the shapes of a convolution, runs its dense or depthwise kernel, and records its gradient.
#include "autograd/ops/convolution.h"

#include "autograd/ops/support.h"

namespace shiftadd::autograd {
namespace {

template <ConvKind kKind, class T>
auto forward_kernel() {
  return kKind == ConvKind::kDense ? kernels<T>().conv2d : kernels<T>().depthwise_conv2d;
}
template <ConvKind kKind, class T>
auto backward_kernel() {
  return kKind == ConvKind::kDense ? kernels<T>().conv2d_backward
                                   : kernels<T>().depthwise_conv2d_backward;
}

}  // namespace

Conv2dShape check_convolution(const char* op, ConvKind kind, const Variable& x,
                              const Variable& weight, const Variable& bias, int64_t stride,
                              int64_t padding) {
  check_rank(op, "input", x, 4);
  check_rank(op, "weight", weight, 4);
  check_same_dtype(op, x, {weight, bias});
  Conv2dShape s{x.dim(0),      x.dim(1),      x.dim(2), x.dim(3), weight.dim(0),
                weight.dim(2), weight.dim(3), stride,   padding};
  s.bf16 = kind == ConvKind::kDense && bf16_products();
  if (kind == ConvKind::kDense && weight.dim(1) != s.in_channels)
    throw user_error("[", op, "] weight is ", weight.shape(), ", input is ", x.shape(),
                     ": expected ", weight.dim(1), " input channels");
  if (kind == ConvKind::kDepthwise && (weight.dim(1) != 1 || s.out_channels != s.in_channels))
    throw user_error("[", op, "] weight is ", weight.shape(), ", input is ", x.shape(),
                     ": expected one filter (", s.in_channels, ", 1, h, w) per channel");
  if (bias.defined()) check_shape(op, "bias", bias.shape(), {s.out_channels});
  if (stride < 1 || padding < 0)
    throw user_error("[", op, "] stride is ", stride, ", padding is ", padding,
                     ": expected stride >= 1 and padding >= 0");
  if (s.kernel_h < 1 || s.kernel_w < 1 || s.height + 2 * padding < s.kernel_h ||
      s.width + 2 * padding < s.kernel_w)
    throw user_error("[", op, "] weight is ", weight.shape(), ", input is ", x.shape(),
                     " with padding ", padding, ": the kernel does not fit into the image");
  return s;
}

template <ConvKind kKind>
Variable convolve(const char* op, const Conv2dShape& s, const Variable& x, const Variable& weight,
                  const Variable& bias) {
  const Shape shape = s.tokens ? Shape{s.batch, s.out_height() * s.out_width(), s.out_channels}
                               : Shape{s.batch, s.out_channels, s.out_height(), s.out_width()};
  Tensor y(shape, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    forward_kernel<kKind, T>()({s, x.value().data<T>(), weight.value().data<T>(),
                                bias.defined() ? bias.value().data<T>() : nullptr, y.data<T>()});
  });
  ParameterGradient dw(weight), db(bias);
  return make_result(
      op, std::move(y), {x, weight, bias},
      [s, dw, db, kept_x = x.value(), kept_weight = weight.value(),
       wanted = wants_gradient(x)](const Tensor& dy) mutable -> std::vector<Tensor> {
        const Tensor dx = wanted ? Tensor(kept_x.shape(), kept_x.dtype()) : Tensor();
        // The kernel always accumulates a weight gradient: a frozen weight's goes to waste.
        const Tensor dweight =
            dw.wanted() ? dw.target() : Tensor::zeros(kept_weight.shape(), kept_weight.dtype());
        dispatch(dy.dtype(), [&]<class T>() {
          backward_kernel<kKind, T>()({s, kept_x.data<T>(), kept_weight.data<T>(), dy.data<T>(),
                                       pointer<T>(dx), dweight.data<T>(), pointer<T>(db.target())});
        });
        return {dx, dw.result(), db.result()};
      });
}
template Variable convolve<ConvKind::kDense>(const char*, const Conv2dShape&, const Variable&,
                                             const Variable&, const Variable&);
template Variable convolve<ConvKind::kDepthwise>(const char*, const Conv2dShape&, const Variable&,
                                                 const Variable&, const Variable&);

}  // namespace shiftadd::autograd
