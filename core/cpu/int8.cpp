// Chooses what multiplies int8 numbers, from CPUID and SHIFTADD_INT8.
#include "core/cpu/int8.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/cpu/choice.h"
#include "core/cpu/isa.h"

namespace shiftadd {
namespace {

Int8Unit find_best() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (supported(Isa::kAvx512) && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
      (ecx >> 11 & 1))  // AVX512_VNNI
    return (edx >> 25 & 1) && amx_tiles_granted() ? Int8Unit::kAmx : Int8Unit::kVnni;
#endif
  return Int8Unit::kNone;
}

Int8Unit best_unit() {
  static const Int8Unit best = find_best();
  return best;
}

}  // namespace

Int8Unit int8_unit() {
  static const Int8Unit chosen =
      lowered_choice("SHIFTADD_INT8", isa() == Isa::kAvx512 ? best_unit() : Int8Unit::kNone,
                     {Int8Unit::kNone, Int8Unit::kVnni, Int8Unit::kAmx});
  return chosen;
}

bool supported(Int8Unit unit) { return unit <= best_unit(); }

const char* name_of(Int8Unit unit) {
  switch (unit) {
    case Int8Unit::kAmx:
      return "amx";
    case Int8Unit::kVnni:
      return "vnni";
    case Int8Unit::kNone:
      break;
  }
  return "none";
}

}  // namespace shiftadd
