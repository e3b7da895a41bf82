// The order of an epoch.
#include "data/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

using namespace shiftadd;
using namespace shiftadd::data;

namespace {

TEST_CASE("sampler: an order is a permutation that depends on seed and epoch only") {
  for (int64_t n : {1, 3, 17, 197}) {
    std::vector<int64_t> order = epoch_order(n, 1, 5, 2);
    CHECK(order == epoch_order(n, 1, 5, 2));
    if (n >= 17) {
      CHECK(order != epoch_order(n, 1, 5, 3));
      CHECK(order != epoch_order(n, 1, 6, 2));
    }
    std::vector<int64_t> all(n);
    std::iota(all.begin(), all.end(), 0);
    std::sort(order.begin(), order.end());
    CHECK(order == all);
  }
  CHECK(epoch_order(0, 3, 0, 0).empty());
}

TEST_CASE("sampler: every place is equally likely") {
  // 6 elements, 3000 orders: element e at place p is expected 500 times, standard deviation 20.4.
  int counts[6][6] = {};
  for (int64_t epoch = 0; epoch < 3000; ++epoch) {
    const std::vector<int64_t> order = epoch_order(6, 1, 11, epoch);
    for (int place = 0; place < 6; ++place) ++counts[order[place]][place];
  }
  for (auto& row : counts)
    for (int count : row) CHECK(std::abs(count - 500) < 100);
}

TEST_CASE("sampler: repeated augmentation repeats in a row and keeps the size") {
  for (int64_t n : {1, 3, 17, 197})
    for (int64_t repeats : {2, 3, 5}) {
      const std::vector<int64_t> plain = epoch_order(n, 1, 5, 2),
                                 repeated = epoch_order(n, repeats, 5, 2);
      REQUIRE(repeated.size() == plain.size());
      for (int64_t i = 0; i < n; ++i) CHECK(repeated[i] == plain[i / repeats]);
    }
}

}  // namespace
