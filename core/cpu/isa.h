// Which instruction sets the fast kernels may use on this machine.
#pragma once

namespace shiftadd {

enum class Isa { kGeneric, kAvx2, kAvx512 };

/// The best one CPUID offers, lowered by SHIFTADD_ISA=generic|avx2|avx512; decided once. Asking for
/// more than the CPU has throws Error (user).
Isa isa();
bool supported(Isa isa);  // by this CPU, whatever SHIFTADD_ISA says
const char* name_of(Isa isa);

/// Whether this CPU has the tile registers of AMX and the operating system lets this process use
/// them.
bool amx_tiles_granted();

}  // namespace shiftadd
