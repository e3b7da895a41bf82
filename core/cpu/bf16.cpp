// Chooses what multiplies bf16 numbers, from CPUID, the kernel's leave and SHIFTADD_BF16.
#include "core/cpu/bf16.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstdlib>
#include <string_view>

#include "core/cpu/isa.h"
#include "core/error.h"

namespace shiftadd {
namespace {

#if defined(__x86_64__)
// Linux keeps the 8 KiB of tile registers from a process until it asks; the answer holds for all
// its threads.
bool tiles_granted() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

Bf16Unit find_best() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!supported(Isa::kAvx512) || !__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) ||
      !(eax >> 5 & 1))  // AVX512_BF16
    return Bf16Unit::kNone;
  const bool tiles = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> 22 & 1) &&
                     (edx >> 24 & 1);  // AMX-BF16, AMX-TILE
  return tiles && tiles_granted() ? Bf16Unit::kAmx : Bf16Unit::kAvx512;
}
#else
Bf16Unit find_best() { return Bf16Unit::kNone; }
#endif

Bf16Unit best_unit() {
  static const Bf16Unit best = find_best();
  return best;
}

Bf16Unit choose() {
  const Bf16Unit best = isa() == Isa::kAvx512 ? best_unit() : Bf16Unit::kNone;
  const char* wish = std::getenv("SHIFTADD_BF16");
  if (!wish || !*wish) return best;
  for (Bf16Unit unit : {Bf16Unit::kNone, Bf16Unit::kAvx512, Bf16Unit::kAmx}) {
    if (std::string_view(wish) != name_of(unit)) continue;
    if (unit > best)
      throw user_error("SHIFTADD_BF16=", wish, ": with ", name_of(isa()), " this CPU offers ",
                       name_of(best), "; unset the variable or choose that");
    return unit;
  }
  throw user_error("SHIFTADD_BF16=", wish, ": expected none, avx512 or amx");
}

}  // namespace

Bf16Unit bf16_unit() {
  static const Bf16Unit chosen = choose();
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
