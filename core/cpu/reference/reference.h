// The reference kernels, one file per subject beside this one: plain loops, sums in double.
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
template <class T>
void column_sum(const ColumnSumArgs<T>& args);
template <class T>
void layer_norm(const LayerNormArgs<T>& args);
template <class T>
void layer_norm_backward(const LayerNormBackwardArgs<T>& args);
template <class T>
void gelu(const UnaryArgs<T>& args);
template <class T>
void gelu_backward(const UnaryBackwardArgs<T>& args);
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
void int8_attention(const Int8AttentionArgs<T>& args);
void mat_add_keys(const MatAddKeysArgs& args);
void mat_add_queries(const MatAddQueriesArgs& args);
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
template <class T>
void shift_gemm(const ShiftGemmArgs<T>& args);
void expand_nibbles(const ExpandNibblesArgs& args);
template <class T>
void int8_gemm(const Int8GemmArgs<T>& args);
template <class T>
void balance(const BalanceArgs<T>& args);

}  // namespace shiftadd::reference
