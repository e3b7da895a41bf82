// Products of int8 numbers: which instructions this machine has for them.
#pragma once

namespace shiftadd {

/// What multiplies int8 operands and sums in int32. kNone: the vectors of isa() alone.
enum class Int8Unit { kNone, kVnni, kAmx };

/// The best one that CPUID and the operating system offer while isa() is avx512, lowered by
/// SHIFTADD_INT8=none|vnni|amx; decided once. Asking for more throws Error (user).
Int8Unit int8_unit();
bool supported(Int8Unit unit);  // by this machine, whatever the variables say
const char* name_of(Int8Unit unit);

}  // namespace shiftadd
