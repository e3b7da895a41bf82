// Chooses the instruction set once, from CPUID and SHIFTADD_ISA.
#include "core/cpu/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstdlib>
#include <string_view>

#include "core/error.h"

namespace shiftadd {
namespace {

Isa best_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // libgcc's answer covers the operating system's part (XGETBV) too.
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;  // clang 14 cannot be asked for f16c by name
  const bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && f16c;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  return avx512 ? Isa::kAvx512 : avx2 ? Isa::kAvx2 : Isa::kGeneric;
#else
  return Isa::kGeneric;
#endif
}

Isa choose() {
  const Isa best = best_isa();
  const char* wish = std::getenv("SHIFTADD_ISA");
  if (!wish || !*wish) return best;
  for (Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512}) {
    if (std::string_view(wish) != name_of(isa)) continue;
    if (isa > best)
      throw user_error("SHIFTADD_ISA=", wish, ": this CPU offers ", name_of(best),
                       "; unset the variable or choose that");
    return isa;
  }
  throw user_error("SHIFTADD_ISA=", wish, ": expected generic, avx2 or avx512");
}

}  // namespace

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

bool supported(Isa isa) { return isa <= best_isa(); }

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kGeneric:
      break;
  }
  return "generic";
}

}  // namespace shiftadd
