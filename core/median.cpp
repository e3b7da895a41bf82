// Sorts the values and takes the middle.
#include "core/median.h"

#include <algorithm>

namespace shiftadd {

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

}  // namespace shiftadd
