// Finds the processor's name in /proc/cpuinfo.
#include "core/cpu/cpu_name.h"

#include <fstream>

namespace shiftadd {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      if (const auto colon = line.find(": "); colon != std::string::npos)
        return line.substr(colon + 2);
  return "unknown";
}

}  // namespace shiftadd
