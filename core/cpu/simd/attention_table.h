// The vectorised attention kernels, entered into a table.
#pragma once

#include "core/cpu/simd/add_attention.h"
#include "core/cpu/simd/linear_angular_backward.h"
#include "core/cpu/simd/softmax_add.h"

namespace shiftadd {
namespace {

void set_attention(KernelTable<float>& table) {
  table.attention = attention_kernel;
  table.attention_backward = attention_backward_kernel;
  table.attention_codes = attention_codes_kernel;
  table.attention_codes_backward = attention_codes_backward_kernel;
  table.linear_angular = linear_angular_kernel;
  table.linear_angular_backward = linear_angular_backward_kernel;
  table.add_attention = add_attention_kernel;
  table.softmax_add = softmax_add_kernel;
  table.softmax_add_backward = softmax_add_backward_kernel;
  table.popcount_attention = popcount_attention_kernel;
}

}  // namespace
}  // namespace shiftadd
