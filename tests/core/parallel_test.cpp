// The thread pool: every item once, exceptions, nesting, concurrent callers, any number of threads.
#include "core/parallel.h"

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/support.h"

namespace shiftadd {
namespace {

using test::Threads;

TEST_CASE("parallel_for runs each item once, with any number of threads") {
  for (int threads : {1, 2, 3, 4}) {
    Threads set(threads);
    CHECK(num_threads() == threads);
    for (int64_t count : {0, 1, 2, 17, 1000}) {
      std::vector<std::atomic<int>> runs(count);
      parallel_for(count, [&](int64_t item) { runs[item].fetch_add(1); });
      for (const auto& n : runs) CHECK(n == 1);
    }
  }
}

TEST_CASE("parallel_for publishes what items wrote, job after job") {
  Threads set(4);
  std::vector<int64_t> values(64, 0);  // plain memory: a race would show under the thread sanitizer
  for (int64_t job = 1; job <= 2000; ++job) {
    parallel_for(64, [&](int64_t item) { values[item] += job; });
    if (job % 500 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // workers fall asleep
  }
  for (int64_t value : values) CHECK(value == 2000 * 2001 / 2);
}

TEST_CASE("parallel_chunks cuts by n and grain alone") {
  for (int threads : {1, 3}) {
    Threads set(threads);
    std::vector<int64_t> end_of(10, -1);
    parallel_chunks(37, 10, [&](int64_t begin, int64_t end) {
      end_of[begin / 10] = begin % 10 == 0 ? end : -2;
    });
    CHECK(end_of == std::vector<int64_t>{10, 20, 30, 37, -1, -1, -1, -1, -1, -1});
    parallel_chunks(0, 10, [](int64_t, int64_t) { FAIL("nothing to do"); });
  }
}

TEST_CASE("parallel_for rethrows an exception, and works again afterwards") {
  for (int threads : {1, 2, 4}) {
    Threads set(threads);
    for (int64_t bad : {0, 50, 99})
      CHECK_THROWS_WITH_AS(parallel_for(100,
                                        [&](int64_t item) {
                                          if (item == bad) throw std::runtime_error("item is bad");
                                        }),
                           "item is bad", std::runtime_error);
    std::atomic<int> all = 0;
    parallel_for(100, [&](int64_t) { all.fetch_add(1); });
    CHECK(all == 100);
  }
}

TEST_CASE("parallel_for inside an item runs on that item's thread") {
  Threads set(4);
  std::atomic<int> total = 0, strangers = 0;
  parallel_for(16, [&](int64_t) {
    const auto self = std::this_thread::get_id();
    parallel_for(16, [&](int64_t) {
      total.fetch_add(1);
      strangers.fetch_add(std::this_thread::get_id() != self);
    });
  });
  CHECK(total == 256);
  CHECK(strangers == 0);
}

TEST_CASE("parallel_for serves callers on several threads") {
  Threads set(3);
  std::vector<int64_t> sums(4, 0);
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < sums.size(); ++caller)
    callers.emplace_back([&sums, caller] {
      for (int job = 0; job < 200; ++job) {
        std::vector<int64_t> out(50);
        parallel_for(50, [&](int64_t item) { out[item] = item; });
        sums[caller] += std::accumulate(out.begin(), out.end(), int64_t{0});
      }
    });
  for (std::thread& caller : callers) caller.join();
  for (int64_t sum : sums) CHECK(sum == 200 * 1225);
}

TEST_CASE("set_num_threads takes at least one") {
  Threads set(0);
  CHECK(num_threads() == 1);
  CHECK(available_cores() >= 1);
}

}  // namespace
}  // namespace shiftadd
