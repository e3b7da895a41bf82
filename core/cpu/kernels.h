// What table.cpp puts together.
#pragma once

#include "core/cpu/isa.h"
#include "core/kernels.h"

namespace shiftadd {

/// Enter the vectorised kernels of one instruction set: attention, and the rest without the matrix
/// product.
void set_kernels_generic(KernelTable<float>& table);
void set_kernels_avx2(KernelTable<float>& table);
void set_kernels_avx512(KernelTable<float>& table);
void set_attention_kernels_generic(KernelTable<float>& table);
void set_attention_kernels_avx2(KernelTable<float>& table);
void set_attention_kernels_avx512(KernelTable<float>& table);

void drop(const DropArgs<float>& args);

/// Convolutions by matrix products of one instruction set.
template <Isa isa>
void conv2d(const Conv2dArgs<float>& args);
template <Isa isa>
void conv2d_backward(const Conv2dBackwardArgs<float>& args);

void depthwise_conv2d(const DepthwiseConv2dArgs<float>& args);
void depthwise_conv2d_backward(const DepthwiseConv2dBackwardArgs<float>& args);

}  // namespace shiftadd
