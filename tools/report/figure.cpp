// Writes a measured number with so many digits behind the point.
#include "tools/report/figure.h"

#include <cmath>
#include <iomanip>
#include <sstream>

namespace shiftadd::tools {

std::string figure(std::optional<double> value, int digits, const char* unit) {
  if (!value || !std::isfinite(*value)) return "-";
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << *value << unit;
  return text.str();
}

}  // namespace shiftadd::tools
