// Every vectorised kernel but the matrix product and attention, entered into a table.
#pragma once

#include "core/cpu/simd/adamw.h"
#include "core/cpu/simd/column_sum.h"
#include "core/cpu/simd/elementwise.h"
#include "core/cpu/simd/gelu.h"
#include "core/cpu/simd/int8_expand.h"
#include "core/cpu/simd/layer_norm.h"
#include "core/cpu/simd/sgd.h"
#include "core/cpu/simd/shift.h"
#include "core/cpu/simd/shift_gemm.h"
#include "core/cpu/simd/softmax.h"

namespace shiftadd {
namespace {

void set_kernels(KernelTable<float>& table) {
  table.column_sum = column_sum_kernel;
  table.layer_norm = layer_norm_kernel;
  table.layer_norm_backward = layer_norm_backward_kernel;
  table.gelu = gelu_kernel;
  table.gelu_backward = gelu_backward_kernel;
  table.softmax = softmax_kernel;
  table.softmax_backward = softmax_backward_kernel;
  table.add = add_kernel;
  table.multiply = multiply_kernel;
  table.add_broadcast = add_broadcast_kernel;
  table.scale = scale_kernel;
  table.sum = sum_kernel;
  table.adamw = adamw_kernel;
  table.sgd = sgd_kernel;
  table.shift_quantize = shift_quantize_kernel;
  table.shift_compose = shift_compose_kernel;
  table.quantize_tokens = quantize_tokens_kernel;
  table.dequantize_tokens = dequantize_tokens_kernel;
  table.shift_gemm = shift_gemm_kernel;
  table.expand_nibbles = expand_nibbles_kernel;
}

}  // namespace
}  // namespace shiftadd
