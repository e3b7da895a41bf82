// Random operands of kernels in a device's memory, and the time of a launch on such.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cuda/device.h"
#include "cuda/operands.h"

namespace shiftadd::tools {

/// Lives as long as what it hands out.
class GpuOperands {
 public:
  explicit GpuOperands(cuda::Device& device) : device_(device) {}

  /// Every pattern of bits: int8 numbers, or pairs of codes.
  int8_t* bytes(int64_t count);
  /// Uniform within +-1.
  float* floats(int64_t count);
  uint16_t* bf16(int64_t count);
  int32_t* integers(const std::vector<int32_t>& values);
  void* unset(int64_t bytes);

  /// Rows one behind the other, of int8 numbers padded as kernels want them.
  cuda::RowsAt<float> float_rows(int64_t rows, int64_t width);
  cuda::QuantizedOut int8_rows(int64_t rows, int64_t width);
  cuda::WeightAt weight(cuda::WeightKind kind, int64_t outputs, int64_t inputs);

  /// Bytes handed out.
  int64_t size() const { return size_; }

 private:
  template <class T>
  T* filled(const std::vector<T>& block, int64_t count);

  cuda::Device& device_;
  std::vector<cuda::Device::Memory> memory_;
  char* next_ = nullptr;  // what is left of the last piece of memory
  int64_t left_ = 0, size_ = 0;
};

inline cuda::QuantizedIn as_input(const cuda::QuantizedOut& rows) {
  return {rows.values, rows.scales, rows.rows, rows.stride};
}
inline cuda::RowsAt<const float> as_input(const cuda::RowsAt<float>& rows) {
  return {rows.data, rows.rows, rows.stride};
}

/// What asks the device for one launch.
using GpuLaunch = std::function<void()>;
/// Seconds of a launch: the mean of at least `times`. `make` is called for as many sets of operands
/// as twice L2 holds, which launches take in turn (for two, where the device is emulated).
double seconds_of(cuda::Device& device, uint32_t times,
                  const std::function<GpuLaunch(GpuOperands&)>& make);

}  // namespace shiftadd::tools
