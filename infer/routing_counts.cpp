// Counts the tokens on each expert image by image, and sums the counts of all routers.
#include "infer/routing_counts.h"

#include "infer/mixture.h"

namespace shiftadd::infer {

RoutingCounts::RoutingCounts(const std::vector<Router>& routers) {
  for (const Router& router : routers) {
    rows_.push_back({.router = router.name});
    tokens_.push_back(router.tokens);
  }
}

void RoutingCounts::add(const uint8_t* choices) {
  for (std::size_t router = 0; router < rows_.size(); ++router)
    for (int64_t i = 0; i < tokens_[router]; ++i, ++choices) {
      rows_[router].mult += *choices == kMultExpert;
      rows_[router].shift += *choices == kShiftExpert;
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
