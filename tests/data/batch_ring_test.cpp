// The ring of batches: each row filled once, batches in order, failures when their batch is due.
#include "data/batch_ring.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <numeric>
#include <stdexcept>

#include "core/error.h"
#include "tests/support/support.h"

using namespace shiftadd;
using data::BatchRing;

namespace {

constexpr int64_t kItems = 23, kBatch = 5, kSlots = 3;

BatchRing::Options options_for(int workers) {
  return {.items = kItems,
          .batch = kBatch,
          .slots = kSlots,
          .chunk = 2,
          .workers = workers,
          .workers_key = "--workers"};
}

// What the batches hold: a row's item, and the number of good rows.
struct Filled {
  std::vector<std::vector<int64_t>> rows =
      std::vector<std::vector<int64_t>>(kSlots, std::vector<int64_t>(kBatch));
  std::vector<int64_t> good = std::vector<int64_t>(kSlots);

  BatchRing::Work work(std::function<std::string(int64_t item)> check) {
    return {.fill =
                [this, check](int64_t batch, int64_t row) {
                  const int64_t item = batch * kBatch + row;
                  rows[batch % kSlots][row] = item;
                  return check(item);
                },
            .finish =
                [this](int64_t batch, const std::vector<std::string>& broken) {
                  good[batch % kSlots] = std::count(broken.begin(), broken.end(), "");
                }};
  }
};

}  // namespace

TEST_CASE("batches come in order and whole, from any batch on, again and again") {
  for (const int workers : {0, 1, 4}) {
    Filled filled;
    std::atomic<int64_t> fills = 0;
    BatchRing ring(options_for(workers), filled.work([&](int64_t item) {
      ++fills;
      return item % 7 == 3 ? concat("item ", item) : std::string();
    }));
    CHECK(ring.batches() == 5);
    CHECK_FALSE(ring.take());  // not started
    for (const int64_t first : {0, 3, 5}) {
      ring.cancel();
      fills = 0;
      ring.start(first);
      for (int64_t batch = first; batch < ring.batches(); ++batch) {
        const auto taken = ring.take();
        REQUIRE(taken);
        CHECK(taken->batch == batch);
        REQUIRE(static_cast<int64_t>(taken->broken.size()) == ring.rows_of(batch));
        int64_t good = 0;
        for (int64_t row = 0; row < ring.rows_of(batch); ++row) {
          const int64_t item = batch * kBatch + row;
          CHECK(filled.rows[batch % kSlots][row] == item);
          CHECK(taken->broken[row] == (item % 7 == 3 ? concat("item ", item) : ""));
          good += item % 7 != 3;
        }
        CHECK(filled.good[batch % kSlots] == good);
        if (batch % 2) ring.release();  // early, or by the next take()
      }
      CHECK_FALSE(ring.take());
      CHECK(fills == kItems - std::min(kItems, first * kBatch));
    }
  }
}

TEST_CASE("of several failures in a batch the first row's is thrown, each time") {
  for (const int workers : {0, 1, 4}) {
    Filled filled;
    BatchRing ring(options_for(workers), filled.work([](int64_t item) -> std::string {
      if (item >= 6) throw failure("item ", item);
      return {};
    }));
    ring.start();
    CHECK(ring.take()->batch == 0);
    for (int again = 0; again < 2; ++again) CHECK_THROWS_WITH_AS(ring.take(), "item 6", Error);
    ring.cancel();
    CHECK_FALSE(ring.take());
  }
}

TEST_CASE("what finishing a batch throws belongs to the batch") {
  for (const int workers : {0, 2}) {
    BatchRing ring(options_for(workers), {.fill = [](int64_t, int64_t) { return std::string(); },
                                          .finish =
                                              [](int64_t batch, const auto&) {
                                                if (batch == 1) throw std::runtime_error("full");
                                              }});
    ring.start();
    CHECK(ring.take()->batch == 0);
    CHECK_THROWS_WITH_AS(ring.take(), "full", std::runtime_error);
  }
}

TEST_CASE("a ring may be left in the middle, and may be empty") {
  for (int taken = 0; taken < 4; ++taken) {
    Filled filled;
    BatchRing ring(options_for(3), filled.work([](int64_t) { return std::string(); }));
    ring.start();
    for (int i = 0; i < taken; ++i) CHECK(ring.take()->batch == i);
  }
  BatchRing nothing({.items = 0, .slots = 0, .workers = 2, .workers_key = "--workers"},
                    {.fill = [](int64_t, int64_t) { return std::string(); },
                     .finish = [](int64_t, const auto&) {}});
  nothing.start();
  CHECK_FALSE(nothing.take());
}

TEST_CASE("rows that are not broken are moved together") {
  std::vector<float> rows(10);
  std::iota(rows.begin(), rows.end(), 0.0f);
  CHECK(data::close_gaps(rows.data(), 2 * sizeof(float), {"", "bad", "", "bad", ""}) == 3);
  rows.resize(6);
  CHECK(rows == std::vector<float>{0, 1, 4, 5, 8, 9});
}
