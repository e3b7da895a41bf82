// What the tests of the vocabulary and of the executor share: device arrays and the orders.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/simt/device_heap.h"
#include "cuda/simt/executor.h"

namespace shiftadd::test {

/// Memory of the emulated device for a scope.
template <class T>
class EmulatedArray {
 public:
  explicit EmulatedArray(std::size_t count)
      : count_(count), data_(static_cast<T*>(simt::device_allocate(count * sizeof(T)))) {}
  explicit EmulatedArray(const std::vector<T>& values) : EmulatedArray(values.size()) {
    simt::copy_to_device(data_, values.data(), count_ * sizeof(T));
  }
  ~EmulatedArray() { simt::device_release(data_); }
  EmulatedArray(const EmulatedArray&) = delete;
  EmulatedArray& operator=(const EmulatedArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> values(count_);
    simt::copy_from_device(values.data(), data_, count_ * sizeof(T));
    return values;
  }

 private:
  std::size_t count_;
  T* data_;
};

/// Runs the body in each order of the executor: forward, reverse and three at random.
template <class Body>
void in_all_orders(Body body) {
  const simt::Options before = simt::options();
  for (uint64_t i = 0; i < 5; ++i) {
    simt::options().order = i == 0   ? simt::Order::kForward
                            : i == 1 ? simt::Order::kReverse
                                     : simt::Order::kRandom;
    simt::options().seed = i;
    CAPTURE(i);
    body();
  }
  simt::options() = before;
}

inline void check_no_reports() {
  for (const std::string& report : simt::take_reports()) FAIL_CHECK(report);
}

}  // namespace shiftadd::test
