// All int8 kernels of a Unit (int8_gemm.h).
#pragma once

#include "core/cpu/int8.h"
#include "core/cpu/simd/int8_softmax.h"
#include "core/cpu/simd/mat_add.h"

namespace shiftadd {
namespace {

template <class Unit>
constexpr Int8Functions kInt8Functions = {.gemm = multiply_int8<Unit>,
                                          .dot_attention = add_attention_int8<Unit>,
                                          .int8_attention = int8_attention<Unit>,
                                          .mat_add_keys = mat_add_keys<Unit>,
                                          .mat_add_queries = mat_add_queries};

}  // namespace
}  // namespace shiftadd
