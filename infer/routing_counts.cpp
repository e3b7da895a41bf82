// Counts the tokens on each expert image by image, and sums the counts of all routers.
#include "infer/routing_counts.h"

#include "infer/mixture.h"

namespace shiftadd::infer {

RoutingCounts::RoutingCounts(const std::vector<std::string>& routers, int64_t tokens)
    : tokens_(tokens) {
  for (const std::string& router : routers) rows_.push_back({.router = router});
}

void RoutingCounts::add(const uint8_t* choices) {
  for (Row& row : rows_)
    for (int64_t i = 0; i < tokens_; ++i, ++choices) {
      row.mult += *choices == kMultExpert;
      row.shift += *choices == kShiftExpert;
    }
}

RoutingCounts::Row RoutingCounts::total() const {
  Row total = {.router = "all"};
  for (const Row& row : rows_) {
    total.mult += row.mult;
    total.shift += row.shift;
  }
  return total;
}

}  // namespace shiftadd::infer
