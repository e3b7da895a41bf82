// The measured peaks of the machine's float, bf16 and int8 arithmetic: what matrix kernels are held
// against.
#pragma once

#include "core/cpu/isa.h"
#include "tools/bench/ceiling.h"

namespace shiftadd::tools {

/// Float multiply-adds at this moment, in GFLOP/s. 0 without AVX2.
double peak_gflops(Isa isa, const PeakPlan& plan = {});

/// bf16 dot products of vectors, in GFLOP/s. 0 without AVX512-BF16.
double peak_bf16_gflops(const PeakPlan& plan = {});

/// int8 dot products of vectors at this moment, in GOP/s (2 a product and sum). 0 without
/// AVX512-VNNI. What tiles (AMX) reach is above it.
double peak_int8_gops(const PeakPlan& plan = {});

/// int8 products of tiles, in GOP/s. 0 without AMX.
double peak_int8_tile_gops(const PeakPlan& plan = {});

/// bf16 products of tiles, in GFLOP/s. 0 without AMX.
double peak_bf16_tile_gflops(const PeakPlan& plan = {});

}  // namespace shiftadd::tools
