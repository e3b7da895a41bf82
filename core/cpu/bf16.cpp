// Chooses what multiplies bf16 numbers, from CPUID and SHIFTADD_BF16.
#include "core/cpu/bf16.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/cpu/choice.h"
#include "core/cpu/isa.h"

namespace shiftadd {
namespace {

#if defined(__x86_64__)
Bf16Unit find_best() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!supported(Isa::kAvx512) || !__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) ||
      !(eax >> 5 & 1))  // AVX512_BF16
    return Bf16Unit::kNone;
  const bool tiles = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> 22 & 1);
  return tiles && amx_tiles_granted() ? Bf16Unit::kAmx : Bf16Unit::kAvx512;
}
#else
Bf16Unit find_best() { return Bf16Unit::kNone; }
#endif

Bf16Unit best_unit() {
  static const Bf16Unit best = find_best();
  return best;
}

}  // namespace

Bf16Unit bf16_unit() {
  static const Bf16Unit chosen =
      lowered_choice("SHIFTADD_BF16", isa() == Isa::kAvx512 ? best_unit() : Bf16Unit::kNone,
                     {Bf16Unit::kNone, Bf16Unit::kAvx512, Bf16Unit::kAmx});
  return chosen;
}

bool supported(Bf16Unit unit) { return unit <= best_unit(); }

const char* name_of(Bf16Unit unit) {
  switch (unit) {
    case Bf16Unit::kAmx:
      return "amx";
    case Bf16Unit::kAvx512:
      return "avx512";
    case Bf16Unit::kNone:
      break;
  }
  return "none";
}

}  // namespace shiftadd
