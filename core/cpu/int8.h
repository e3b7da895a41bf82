// Products of int8 numbers: which instructions this machine has for them.
#pragma once

#include "core/kernels.h"

namespace shiftadd {

/// What multiplies int8 operands and sums in int32. kNone: the vectors of isa() alone.
enum class Int8Unit { kNone, kVnni, kAmx };

/// The best one that CPUID and the operating system offer while isa() is avx512, lowered by
/// SHIFTADD_INT8=none|vnni|amx; decided once. Asking for more throws Error (user).
Int8Unit int8_unit();
bool supported(Int8Unit unit);  // by this machine, whatever the variables say
const char* name_of(Int8Unit unit);

/// Kernels of the table by one unit; every unit gives the same integers.
struct Int8Functions {
  void (*gemm)(const Int8GemmArgs<float>&);
  void (*dot_attention)(const LinearAngularArgs<float>&);
  void (*int8_attention)(const Int8AttentionArgs<float>&);
  void (*mat_add_keys)(const MatAddKeysArgs&);
  void (*mat_add_queries)(const MatAddQueriesArgs&);
};
const Int8Functions& int8_functions(Int8Unit unit);  // of a CPU with AVX-512
const Int8Functions& int8_functions_generic();
const Int8Functions& int8_functions_avx512();
const Int8Functions& int8_functions_avx2();
const Int8Functions& int8_functions_vnni();
const Int8Functions& int8_functions_amx();

}  // namespace shiftadd
