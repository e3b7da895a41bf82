// The bench's kernels by one Unit (core/cpu/simd/int8_gemm.h), as one table.
#pragma once

#include "tools/bench/kernels/simd/mat_add.h"
#include "tools/bench/kernels/simd/shift_gemm.h"

namespace shiftadd::tools {
namespace {

template <class Unit>
constexpr BenchKernels kBenchKernels = {.shift_gemm = shift_gemm_kernel,
                                        .mat_add_keys = mat_add_keys_kernel<Unit>,
                                        .mat_add_queries = mat_add_queries_kernel};

}  // namespace
}  // namespace shiftadd::tools
