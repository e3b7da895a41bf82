// A measured number as a table shows it.
#pragma once

#include <optional>
#include <string>

namespace shiftadd::tools {

/// `digits` behind the point, then the unit; "-" for what is not known: no number, or not finite.
std::string figure(std::optional<double> value, int digits, const char* unit = "");

}  // namespace shiftadd::tools
