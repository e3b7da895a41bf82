// With how many tokens, and in which orders of threads, every kernel is tested.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/simt/address_sanitizer.h"
#include "cuda/simt/executor.h"
#include "cuda/simt/observer.h"

namespace shiftadd::test {

/// "host", "cuda" or "ptx" (not set: host). Throws for another value, and where the build made no
/// PTX. A GPU that is asked for and not there is a failure of every test, never a skip.
inline std::string executor() {
  const char* text = std::getenv("SHIFTADD_EXECUTOR");
  const std::string name = text ? text : "host";
  if (name != "host" && name != "cuda" && name != "ptx")
    throw user_error("SHIFTADD_EXECUTOR is '", name, "': expected host, cuda or ptx");
  if (name == "ptx" && !simt::interpreter)
    throw user_error("SHIFTADD_EXECUTOR is ptx: this program was built without nvcc");
  return name;
}
inline bool on_gpu() { return executor() == "cuda"; }

/// Whether the checker follows each access to memory.
inline bool is_checked() { return simt::observer != nullptr; }

/// Whether the checker or the address sanitizer does, which takes several times as long.
inline bool is_slow() {
#if defined(SIMT_ASAN)
  return true;
#else
  return is_checked();
#endif
}

inline constexpr int64_t kMostSlowTokens = 197;

/// One token, some around a warp and around the kernel's tile, and those of images of 32 x 32
/// pixels in patches of 4, of 224 and 256 in patches of 16, and of 384. Ascending. Where it is slow
/// up to kMostSlowTokens: what is beyond differs in the number of blocks alone.
inline std::vector<int64_t> token_counts(int64_t tile) {
  std::vector<int64_t> counts = {1, 31, 33, tile - 1, tile + 1, 65, 197, 257, 577};
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  if (is_slow())
    counts.erase(std::upper_bound(counts.begin(), counts.end(), kMostSlowTokens), counts.end());
  return counts;
}

struct ThreadOrder {
  simt::Order order;
  uint64_t seed;
};

/// The orders for a kernel of so many tokens: forward, reverse and two at random. The checker finds
/// a race in whatever order, and the sanitizer an access: there, large ones run forward alone.
inline std::vector<ThreadOrder> thread_orders(int64_t tokens) {
  using simt::Order;
  if (is_slow() && tokens > 65) return {{Order::kForward, 1}};
  return {{Order::kForward, 1}, {Order::kReverse, 1}, {Order::kRandom, 1}, {Order::kRandom, 2}};
}

/// body() in each of those orders; on a GPU and in the interpreter of PTX once, in its own.
template <class Body>
void in_each_order(int64_t tokens, Body body) {
  if (executor() != "host") return body();
  const simt::Options before = simt::options();
  for (const ThreadOrder& order : thread_orders(tokens)) {
    simt::options().order = order.order;
    simt::options().seed = order.seed;
    INFO("order ", static_cast<int>(order.order), ", seed ", order.seed);
    body();
  }
  simt::options() = before;
}

}  // namespace shiftadd::test
