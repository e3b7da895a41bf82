// Products of int8 numbers: which instructions this machine has for them.
#pragma once

#include "core/kernels.h"

namespace shiftadd {

/// What multiplies int8 operands and sums in int32. kNone: AVX2, or plain C++ where isa() is generic.
enum class Int8Unit { kNone, kVnni, kAmx };

/// The best one that CPUID and the operating system offer while isa() is avx512, lowered by
/// SHIFTADD_INT8=none|vnni|amx; decided once. Asking for more throws Error (user).
Int8Unit int8_unit();
bool supported(Int8Unit unit);  // by this machine, whatever the variables say
const char* name_of(Int8Unit unit);

/// KernelTable::int8_gemm by each unit, of a CPU with AVX2: all give the same bits.
void int8_gemm(Int8Unit unit, const Int8GemmArgs<float>& args);
void int8_gemm_avx2(const Int8GemmArgs<float>& args);
void int8_gemm_vnni(const Int8GemmArgs<float>& args);
void int8_gemm_amx(const Int8GemmArgs<float>& args);

}  // namespace shiftadd
