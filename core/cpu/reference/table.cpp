// The table of reference kernels.
#include "core/cpu/reference/reference.h"

namespace shiftadd {

template <class T>
const KernelTable<T>& reference_kernels() {
  static const KernelTable<T> table = {
      .gemm = reference::gemm<T>,
      .column_sum = reference::column_sum<T>,
      .layer_norm = reference::layer_norm<T>,
      .layer_norm_backward = reference::layer_norm_backward<T>,
      .gelu = reference::gelu<T>,
      .gelu_backward = reference::gelu_backward<T>,
      .softmax = reference::softmax<T>,
      .softmax_backward = reference::softmax_backward<T>,
      .attention = reference::attention<T>,
      .attention_backward = reference::attention_backward<T>,
      .attention_codes = reference::attention_codes<T>,
      .attention_codes_backward = reference::attention_codes_backward<T>,
      .linear_angular = reference::linear_angular<T>,
      .linear_angular_backward = reference::linear_angular_backward<T>,
      .add_attention = reference::add_attention<T>,
      .dot_attention = reference::add_attention<T>,
      .softmax_add = reference::softmax_add<T>,
      .softmax_add_backward = reference::softmax_add_backward<T>,
      .popcount_attention = reference::popcount_attention<T>,
      .int8_attention = reference::int8_attention<T>,
      .mat_add_keys = reference::mat_add_keys,
      .mat_add_queries = reference::mat_add_queries,
      .conv2d = reference::conv2d<T>,
      .conv2d_backward = reference::conv2d_backward<T>,
      .depthwise_conv2d = reference::depthwise_conv2d<T>,
      .depthwise_conv2d_backward = reference::depthwise_conv2d_backward<T>,
      .cross_entropy = reference::cross_entropy<T>,
      .distill = reference::distill<T>,
      .add = reference::add<T>,
      .multiply = reference::multiply<T>,
      .add_broadcast = reference::add_broadcast<T>,
      .scale = reference::scale<T>,
      .sum = reference::sum<T>,
      .drop = reference::drop<T>,
      .adamw = reference::adamw<T>,
      .sgd = reference::sgd<T>,
      .shift_quantize = reference::shift_quantize<T>,
      .shift_compose = reference::shift_compose<T>,
      .quantize_tokens = reference::quantize_tokens<T>,
      .dequantize_tokens = reference::dequantize_tokens<T>,
      .shift_gemm = reference::shift_gemm<T>,
      .expand_nibbles = reference::expand_nibbles,
      .int8_gemm = reference::int8_gemm<T>,
      .balance = reference::balance<T>,
  };
  return table;
}

template const KernelTable<float>& reference_kernels<float>();
template const KernelTable<double>& reference_kernels<double>();

}  // namespace shiftadd
