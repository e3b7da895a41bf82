// Takes the machine's name from where training runs take it.
#include "tools/bench/machine.h"

#include "train/manifest.h"

namespace shiftadd::tools {

std::string cpu_name() { return train::cpu_name(); }

}  // namespace shiftadd::tools
