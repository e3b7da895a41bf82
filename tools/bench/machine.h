// The name of the machine that a measurement states.
#pragma once

#include <string>

namespace shiftadd::tools {

/// "Intel(R) Xeon(R) ...", or "unknown", as manifests of training runs say it.
std::string cpu_name();

}  // namespace shiftadd::tools
