// Where the tests of kernels run: on the host executor, or with SHIFTADD_EXECUTOR=cuda on a GPU.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "cuda/device.h"
#include "cuda/host_device.h"
#include "cuda/plugin_loader.h"
#include "cuda/simt/executor.h"
#include "tests/support/support.h"

namespace shiftadd::test {

/// Throws for another value than "host" and "cuda" (not set: host). A GPU that is asked for and not
/// there is a failure of every test, never a skip.
inline bool on_gpu() {
  const char* text = std::getenv("SHIFTADD_EXECUTOR");
  const std::string name = text ? text : "host";
  if (name != "host" && name != "cuda")
    throw user_error("SHIFTADD_EXECUTOR is '", name, "': expected host or cuda");
  return name == "cuda";
}
inline const shiftadd_device_api& device_api() {
  return on_gpu() ? cuda::load_plugin() : cuda::host_device_api();
}
inline cuda::Device& device() {
  static cuda::Device device(device_api(), 0);
  return device;
}

/// body() for each order of threads and blocks that the executor has.
template <class Body>
void in_each_order(Body body) {
  if (on_gpu()) return body();
  for (const simt::Order order :
       {simt::Order::kForward, simt::Order::kReverse, simt::Order::kRandom}) {
    simt::options().order = order;
    INFO("order ", static_cast<int>(order));
    body();
  }
  simt::options().order = simt::Order::kForward;
}

template <class Args>
void launch(cuda::KernelOf<Args> kernel, const simt::Shape& shape, const Args& args) {
  device().launch(kernel, shape, args);
  device().synchronise();
}

/// An array in the device's memory.
template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  /// Not initialised.
  explicit DeviceArray(int64_t count) : count_(static_cast<std::size_t>(count)) {
    if (count_) memory_ = device().allocate(count_ * sizeof(T));
  }
  explicit DeviceArray(const std::vector<T>& values)
      : DeviceArray(static_cast<int64_t>(values.size())) {
    write(values);
  }

  T* get() const { return memory_.template as<T>(); }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    if (count_) device().copy_out(values.data(), get(), count_ * sizeof(T));
    device().synchronise();
    return values;
  }
  void write(const std::vector<T>& values) {
    if (!values.empty()) device().copy_in(get(), values.data(), values.size() * sizeof(T));
    device().synchronise();
  }

 private:
  std::size_t count_ = 0;
  cuda::Device::Memory memory_;
};

}  // namespace shiftadd::test
