// The sub-tables that the folders of core/cpu/ return, each filled whole. A file compiles only the
// kernels of the sub-tables that it names.
#pragma once

#include "core/cpu/simd/activation.h"
#include "core/cpu/simd/adamw.h"
#include "core/cpu/simd/add_attention.h"
#include "core/cpu/simd/column_sum.h"
#include "core/cpu/simd/dot_attention.h"
#include "core/cpu/simd/dot_window_attention.h"
#include "core/cpu/simd/elementwise.h"
#include "core/cpu/simd/expand_nibbles.h"
#include "core/cpu/simd/gemm.h"
#include "core/cpu/simd/int8_attention.h"
#include "core/cpu/simd/int8_gemm.h"
#include "core/cpu/simd/layer_norm.h"
#include "core/cpu/simd/linear_angular_backward.h"
#include "core/cpu/simd/scale_channels.h"
#include "core/cpu/simd/scale_rows.h"
#include "core/cpu/simd/sgd.h"
#include "core/cpu/simd/shift.h"
#include "core/cpu/simd/softmax.h"
#include "core/cpu/simd/softmax_add.h"
#include "core/cpu/simd/window_attention_backward.h"
#include "core/cpu/targets.h"
#include "core/kernels.h"

namespace shiftadd {
namespace {

template <Isa isa>
constexpr ProductKernels<float> kProductKernels = {
    .gemm = gemm_kernel<isa>,
    .packed_size = packed_size,
    .pack = pack,
    .gemm_packed = gemm_packed,
};

constexpr NormKernels<float> kNormKernels = {
    .layer_norm = layer_norm_kernel,
    .layer_norm_backward = layer_norm_backward_kernel,
    .softmax = softmax_kernel,
    .softmax_backward = softmax_backward_kernel,
};

constexpr ActivationKernels<float> kActivationKernels = {
    .activation = activation_kernel,
    .activation_backward = activation_backward_kernel,
    .gelu = gelu_kernel,
    .gelu_backward = gelu_backward_kernel,
    .tanh = tanh_kernel,
    .tanh_backward = tanh_backward_kernel,
};

constexpr ShiftKernels<float> kShiftKernels = {
    .shift_quantize = shift_quantize_kernel,
    .shift_compose = shift_compose_kernel,
    .quantize_tokens = quantize_tokens_kernel,
    .dequantize_tokens = dequantize_tokens_kernel,
};

constexpr ElementwiseKernels<float> kElementwiseKernels = {
    .add = add_kernel,
    .multiply = multiply_kernel,
    .add_broadcast = add_broadcast_kernel,
    .scale = scale_kernel,
    .scale_channels = scale_channels_kernel,
    .scale_rows = scale_rows_kernel,
    .column_dot = column_dot_kernel,
    .row_dot = row_dot_kernel,
    .sum = sum_kernel,
    .column_sum = column_sum_kernel,
    .drop = drop,
};

constexpr OptimizerKernels<float> kOptimizerKernels = {
    .adamw = adamw_kernel,
    .sgd = sgd_kernel,
};

constexpr AttentionKernels<float> kAttentionKernels = {
    .attention = attention_kernel,
    .attention_backward = attention_backward_kernel,
    .attention_codes = attention_codes_kernel,
    .attention_codes_backward = attention_codes_backward_kernel,
    .linear_angular = linear_angular_kernel,
    .linear_angular_backward = linear_angular_backward_kernel,
    .add_attention = add_attention_kernel,
    .softmax_add = softmax_add_kernel,
    .softmax_add_backward = softmax_add_backward_kernel,
    .popcount_attention = popcount_attention_kernel,
    .window_attention = window_attention_kernel,
    .window_attention_backward = window_attention_backward_kernel,
};

// By what a Unit multiplies (int8_gemm.h).
template <class Unit>
constexpr Int8Kernels<float> kInt8Kernels = {
    .expand_nibbles = expand_nibbles_kernel,
    .int8_gemm = int8_gemm_kernel<Unit>,
    .dot_attention = dot_attention_kernel<Unit>,
    .dot_window_attention = dot_window_attention_kernel<Unit>,
    .int8_attention = int8_attention_kernel<Unit>,
};

}  // namespace
}  // namespace shiftadd
