// Products of bf16 numbers: which instructions this machine has for them, and the rounding.
#pragma once

#include <bit>
#include <cstdint>

namespace shiftadd {

/// What multiplies bf16 operands and sums in float32. kNone: products stay float32.
enum class Bf16Unit { kNone, kAvx512, kAmx };

/// The best one that CPUID and the operating system offer while isa() is avx512, lowered by
/// SHIFTADD_BF16=none|avx512|amx; decided once. Asking for more throws Error (user).
Bf16Unit bf16_unit();
bool supported(Bf16Unit unit);  // by this machine, whatever the variables say
const char* name_of(Bf16Unit unit);

/// The nearest bf16 number, half to even; an infinity or a NaN stays one.
inline float round_to_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return x;
  return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
}

}  // namespace shiftadd
