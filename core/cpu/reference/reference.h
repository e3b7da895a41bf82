// The reference kernels, each in a file of its name or subject beside this one (plain loops, sums
// in double), and their sub-tables.
#pragma once

#include <cmath>
#include <numbers>

#include "core/cpu/bf16.h"
#include "core/kernels.h"

namespace shiftadd::reference {

/// A factor of a product: as it is, or rounded to bf16.
template <class T>
T operand(T x, bool bf16) {
  return bf16 ? static_cast<T>(round_to_bf16(static_cast<float>(x))) : x;
}

inline double gelu_of(double x) { return x / 2 * (1 + std::erf(x * std::numbers::sqrt2 / 2)); }
inline double gelu_slope(double x) {
  const double cdf = (1 + std::erf(x * std::numbers::sqrt2 / 2)) / 2;
  return cdf + x * std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

template <class T>
void gemm(const GemmArgs<T>& args);
int64_t packed_size(int64_t n, int64_t k);
template <class T>
void pack(const PackArgs<T>& args);
template <class T>
void gemm_packed(const GemmArgs<T>& args);
template <class T>
void column_sum(const ColumnSumArgs<T>& args);
template <class T>
void layer_norm(const LayerNormArgs<T>& args);
template <class T>
void layer_norm_backward(const LayerNormBackwardArgs<T>& args);
template <class T>
void activation(const ActivationArgs<T>& args);
template <class T>
void activation_backward(const ActivationBackwardArgs<T>& args);
template <class T>
void gelu(const UnaryArgs<T>& args);
template <class T>
void gelu_backward(const UnaryBackwardArgs<T>& args);
template <class T>
void tanh(const UnaryArgs<T>& args);
template <class T>
void tanh_backward(const TanhBackwardArgs<T>& args);
template <class T>
void softmax(const SoftmaxArgs<T>& args);
template <class T>
void softmax_backward(const SoftmaxBackwardArgs<T>& args);
template <class T>
void attention(const AttentionArgs<T>& args);
template <class T>
void attention_backward(const AttentionBackwardArgs<T>& args);
template <class T>
void attention_codes(const CodesArgs<T>& args);
template <class T>
void attention_codes_backward(const CodesBackwardArgs<T>& args);
template <class T>
void linear_angular(const LinearAngularArgs<T>& args);
template <class T>
void linear_angular_backward(const LinearAngularBackwardArgs<T>& args);
template <class T>
void add_attention(const LinearAngularArgs<T>& args);
template <class T>
void softmax_add(const SoftmaxAddArgs<T>& args);
template <class T>
void softmax_add_backward(const SoftmaxAddBackwardArgs<T>& args);
template <class T>
void popcount_attention(const SoftmaxAddArgs<T>& args);
template <class T>
void window_attention(const WindowAttentionArgs<T>& args);
template <class T>
void window_attention_backward(const WindowAttentionBackwardArgs<T>& args);
template <class T>
void int8_attention(const Int8AttentionArgs<T>& args);
template <class T>
void conv2d(const Conv2dArgs<T>& args);
template <class T>
void conv2d_backward(const Conv2dBackwardArgs<T>& args);
template <class T>
void depthwise_conv2d(const DepthwiseConv2dArgs<T>& args);
template <class T>
void depthwise_conv2d_backward(const DepthwiseConv2dBackwardArgs<T>& args);
template <class T>
void cross_entropy(const CrossEntropyArgs<T>& args);
template <class T>
void distill(const DistillArgs<T>& args);
template <class T>
void add(const BinaryArgs<T>& args);
template <class T>
void multiply(const BinaryArgs<T>& args);
template <class T>
void add_broadcast(const AddBroadcastArgs<T>& args);
template <class T>
void scale(const ScaleArgs<T>& args);
template <class T>
void scale_channels(const ScaleChannelsArgs<T>& args);
template <class T>
void scale_rows(const ScaleRowsArgs<T>& args);
template <class T>
void column_dot(const DotsArgs<T>& args);
template <class T>
void row_dot(const DotsArgs<T>& args);
template <class T>
void sum(const SumArgs<T>& args);
template <class T>
void drop(const DropArgs<T>& args);
template <class T>
void adamw(const AdamWArgs<T>& args);
template <class T>
void sgd(const SgdArgs<T>& args);
template <class T>
void shift_quantize(const ShiftQuantizeArgs<T>& args);
template <class T>
void shift_compose(const ShiftComposeArgs<T>& args);
template <class T>
void quantize_tokens(const QuantizeTokensArgs<T>& args);
template <class T>
void dequantize_tokens(const DequantizeTokensArgs<T>& args);
void expand_nibbles(const ExpandNibblesArgs& args);
template <class T>
void int8_gemm(const Int8GemmArgs<T>& args);
template <class T>
void balance(const BalanceArgs<T>& args);

template <class T>
constexpr ProductKernels<T> kProductKernels = {
    .gemm = gemm<T>,
    .packed_size = packed_size,
    .pack = pack<T>,
    .gemm_packed = gemm_packed<T>,
};

template <class T>
constexpr NormKernels<T> kNormKernels = {
    .layer_norm = layer_norm<T>,
    .layer_norm_backward = layer_norm_backward<T>,
    .softmax = softmax<T>,
    .softmax_backward = softmax_backward<T>,
};

template <class T>
constexpr ActivationKernels<T> kActivationKernels = {
    .activation = activation<T>,
    .activation_backward = activation_backward<T>,
    .gelu = gelu<T>,
    .gelu_backward = gelu_backward<T>,
    .tanh = tanh<T>,
    .tanh_backward = tanh_backward<T>,
};

template <class T>
constexpr AttentionKernels<T> kAttentionKernels = {
    .attention = attention<T>,
    .attention_backward = attention_backward<T>,
    .attention_codes = attention_codes<T>,
    .attention_codes_backward = attention_codes_backward<T>,
    .linear_angular = linear_angular<T>,
    .linear_angular_backward = linear_angular_backward<T>,
    .add_attention = add_attention<T>,
    .softmax_add = softmax_add<T>,
    .softmax_add_backward = softmax_add_backward<T>,
    .popcount_attention = popcount_attention<T>,
    .window_attention = window_attention<T>,
    .window_attention_backward = window_attention_backward<T>,
};

template <class T>
constexpr ShiftKernels<T> kShiftKernels = {
    .shift_quantize = shift_quantize<T>,
    .shift_compose = shift_compose<T>,
    .quantize_tokens = quantize_tokens<T>,
    .dequantize_tokens = dequantize_tokens<T>,
};

template <class T>
constexpr Int8Kernels<T> kInt8Kernels = {
    .expand_nibbles = expand_nibbles,
    .int8_gemm = int8_gemm<T>,
    .dot_attention = add_attention<T>,
    .dot_window_attention = window_attention<T>,
    .int8_attention = int8_attention<T>,
};

template <class T>
constexpr ConvKernels<T> kConvKernels = {
    .conv2d = conv2d<T>,
    .conv2d_backward = conv2d_backward<T>,
    .depthwise_conv2d = depthwise_conv2d<T>,
    .depthwise_conv2d_backward = depthwise_conv2d_backward<T>,
};

template <class T>
constexpr ElementwiseKernels<T> kElementwiseKernels = {
    .add = add<T>,
    .multiply = multiply<T>,
    .add_broadcast = add_broadcast<T>,
    .scale = scale<T>,
    .scale_channels = scale_channels<T>,
    .scale_rows = scale_rows<T>,
    .column_dot = column_dot<T>,
    .row_dot = row_dot<T>,
    .sum = sum<T>,
    .column_sum = column_sum<T>,
    .drop = drop<T>,
};

template <class T>
constexpr LossKernels<T> kLossKernels = {
    .cross_entropy = cross_entropy<T>,
    .distill = distill<T>,
    .balance = balance<T>,
};

template <class T>
constexpr OptimizerKernels<T> kOptimizerKernels = {
    .adamw = adamw<T>,
    .sgd = sgd<T>,
};

}  // namespace shiftadd::reference
