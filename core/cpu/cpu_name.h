// What the processor is called, for files that say where something was measured.
#pragma once

#include <string>

namespace shiftadd {

/// "AMD EPYC ...", as the kernel names it; "unknown" where it does not.
std::string cpu_name();

}  // namespace shiftadd
