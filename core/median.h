// The median of measurements.
#pragma once

#include <vector>

namespace shiftadd {

/// Of at least one value; between the two in the middle where their number is even.
double median_of(std::vector<double> values);

}  // namespace shiftadd
