// The kernel tables of one instruction set, and the sub-tables of one unit, whatever this process
// has chosen.
#pragma once

#include "core/cpu/bf16.h"
#include "core/cpu/int8.h"
#include "core/cpu/isa.h"
#include "core/kernels.h"

namespace shiftadd {

/// Each throws Error (user) when this CPU has it not.
const KernelTable<float>& cpu_kernels(Isa isa);
/// Every unit gives the same integers as every instruction set.
const Int8Kernels<float>& int8_kernels(Isa isa);
const Int8Kernels<float>& int8_kernels(Int8Unit unit);  // kNone: AVX-512 without a unit
/// Products of operands that are rounded to bf16, whatever GemmArgs::bf16 says; kNone is refused.
const ProductKernels<float>& product_kernels(Bf16Unit unit);

}  // namespace shiftadd
