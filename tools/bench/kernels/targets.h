// What the folders beside this file offer to kernels.cpp: each is compiled for one instruction set
// or unit and returns its kernels.
#pragma once

#include "tools/bench/kernels/kernels.h"

namespace shiftadd::tools {

template <Isa>
const BenchKernels& bench_kernels();
template <Int8Unit>
const BenchKernels& bench_kernels();

}  // namespace shiftadd::tools
