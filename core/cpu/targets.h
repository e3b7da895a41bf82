// What the folders of core/cpu/ offer to table.cpp: each is compiled for one instruction set or
// unit and returns its sub-tables, filled whole. What is compiled once for all of them stands
// below.
#pragma once

#include "core/cpu/bf16.h"
#include "core/cpu/int8.h"
#include "core/cpu/isa.h"
#include "core/kernels.h"

namespace shiftadd {

template <Isa>
const ProductKernels<float>& product_kernels();
template <Isa>
const NormKernels<float>& norm_kernels();
template <Isa>
const ActivationKernels<float>& activation_kernels();
template <Isa>
const AttentionKernels<float>& attention_kernels();
template <Isa>
const ShiftKernels<float>& shift_kernels();
template <Isa>
const Int8Kernels<float>& int8_kernels();
template <Isa>
const ConvKernels<float>& conv_kernels();
template <Isa>
const ElementwiseKernels<float>& elementwise_kernels();
template <Isa>
const OptimizerKernels<float>& optimizer_kernels();

template <Int8Unit>
const Int8Kernels<float>& int8_kernels();
template <Bf16Unit>
const ProductKernels<float>& product_kernels();

/// GemmArgs::bf16 on an instruction set: by bf16_unit() on AVX-512, and where there is none, by
/// gemm_rounded.
void gemm_bf16(Isa isa, const GemmArgs<float>& args);
/// Copies rounded to bf16, multiplied as floats.
void gemm_rounded(Isa isa, const GemmArgs<float>& args);
void drop(const DropArgs<float>& args);
void depthwise_conv2d(const DepthwiseConv2dArgs<float>& args);
void depthwise_conv2d_backward(const DepthwiseConv2dBackwardArgs<float>& args);

}  // namespace shiftadd
