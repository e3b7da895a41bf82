// The list of faults that take_reports() returns.
#pragma once

#include <string>

namespace shiftadd::simt {

/// Faults beyond the first 100 since the last take_reports() are dropped.
void report(const std::string& fault);

}  // namespace shiftadd::simt
