// How many tokens each router sent to each expert.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/network.h"

namespace shiftadd::infer {

class RoutingCounts {
 public:
  struct Row {
    std::string router;
    int64_t mult = 0, shift = 0;
    int64_t tokens() const { return mult + shift; }
    /// 0 to 1; 0 when no token came by.
    double shift_share() const {
      return tokens() ? static_cast<double>(shift) / static_cast<double>(tokens()) : 0;
    }
  };

  explicit RoutingCounts(const std::vector<Router>& routers);
  /// choices: of one image, as Session::run gives them.
  void add(const uint8_t* choices);
  const std::vector<Row>& rows() const { return rows_; }
  Row total() const;  // its router is called "all"

 private:
  std::vector<Row> rows_;
  std::vector<int64_t> tokens_;  // of each router
};

}  // namespace shiftadd::infer
