// Chooses the instruction set once, from CPUID and SHIFTADD_ISA.
#include "core/cpu/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "core/cpu/choice.h"

namespace shiftadd {
namespace {

Isa find_best() {
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

Isa best_isa() {
  static const Isa best = find_best();
  return best;
}

}  // namespace

Isa isa() {
  static const Isa chosen =
      lowered_choice("SHIFTADD_ISA", best_isa(), {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512});
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

bool amx_tiles_granted() {
#if defined(__x86_64__)
  // Linux keeps the 8 KiB of tile registers from a process until it asks; the answer holds for all
  // its threads.
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  static const bool granted = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> 24 & 1) &&
                              syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
#else
  return false;
#endif
}

}  // namespace shiftadd
