// Where the tests of kernels run: on the host executor, with SHIFTADD_EXECUTOR=cuda on a GPU, or
// with SHIFTADD_EXECUTOR=ptx on an interpreter of what nvcc made of the kernels (ptx/).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "cuda/device.h"
#include "cuda/host_device.h"
#include "cuda/plugin_loader.h"
#include "tests/cuda/sizes.h"
#include "tests/support/support.h"

namespace shiftadd::test {

inline const shiftadd_device_api& device_api() {
  return on_gpu() ? cuda::load_plugin() : cuda::host_device_api();
}

/// Access to what devices of the host executor claim to be when they are opened; at its end it is
/// again what it was.
class HostOptions {
 public:
  HostOptions() : before_(*options_) {}
  ~HostOptions() { *options_ = before_; }
  HostOptions(const HostOptions&) = delete;
  HostOptions& operator=(const HostOptions&) = delete;
  cuda::HostDeviceOptions* operator->() const { return options_; }

 private:
  cuda::HostDeviceOptions* options_ = &cuda::host_device_options();
  cuda::HostDeviceOptions before_;
};

inline cuda::Device& device() {
  static cuda::Device device(device_api(), 0);
  return device;
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
