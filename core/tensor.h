// Tensor: a cheap handle on shared, contiguous memory. No gradients here (autograd/variable.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace shiftadd {

/// kF64 exists for gradient checks, kF16 for files; neither has fast kernels.
enum class DType : uint8_t { kF32, kF64, kBF16, kF16, kI64, kI32, kI16, kI8, kU8 };
std::size_t size_of(DType dtype);
const char* name_of(DType dtype);  // "f32", ...
bool is_floating(DType dtype);
std::ostream& operator<<(std::ostream& out, DType dtype);

enum class Device : uint8_t { kCpu, kCuda };

/// Storage formats of two bytes; arithmetic happens in float.
struct BFloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};
float to_float(BFloat16 value);
float to_float(Float16 value);
BFloat16 to_bfloat16(float value);  // rounds half to even, keeps NaN
Float16 to_float16(float value);    // rounds half to even, overflow becomes infinity

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kF64;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::kBF16;
};
template <>
struct DTypeOf<Float16> {
  static constexpr DType value = DType::kF16;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::kI64;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::kI32;
};
template <>
struct DTypeOf<int16_t> {
  static constexpr DType value = DType::kI16;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::kI8;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::kU8;
};

int64_t element_count(const Shape& shape);  // product; 1 for the empty shape

/// Copying a Tensor copies the handle; const protects the handle, not the numbers.
/// Always contiguous, row-major. A default-constructed Tensor is undefined (defined() == false).
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape, DType dtype = DType::kF32);  // uninitialised
  static Tensor zeros(Shape shape, DType dtype = DType::kF32);
  static Tensor full(Shape shape, double value, DType dtype = DType::kF32);
  template <class T>
  static Tensor from(const std::vector<T>& values, Shape shape);
  /// A view of memory that something else owns (a mapped file): `owner` keeps it alive.
  static Tensor wrap(std::shared_ptr<const void> owner, const void* data, Shape shape, DType dtype);

  bool defined() const { return data_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return static_cast<int>(shape_.size()); }
  int64_t dim(int axis) const { return shape_[axis < 0 ? axis + shape_.size() : axis]; }
  int64_t numel() const { return numel_; }
  std::size_t bytes() const { return numel_ * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const { return Device::kCpu; }

  /// T must be the dtype (uint8_t for raw bytes of any dtype through raw()). Throws Error
  /// otherwise.
  template <class T>
  T* data() const {
    check_dtype(DTypeOf<T>::value);
    return static_cast<T*>(data_);
  }
  template <class T>
  std::span<T> span() const {
    return {data<T>(), static_cast<std::size_t>(numel_)};
  }
  void* raw() const { return data_; }

  /// Views share memory. reshape: same number of elements, one -1 is inferred.
  Tensor reshape(Shape shape) const;
  Tensor slice(int64_t begin, int64_t end) const;  // rows begin..end of the first axis
  Tensor clone() const;
  Tensor to(
      DType dtype) const;  // the same handle when nothing changes; float<->float and int->float
  void fill(double value) const;
  void copy_from(const Tensor& source) const;  // same shape and dtype
  bool shares_memory(const Tensor& other) const { return owner_ && owner_ == other.owner_; }
  long use_count() const { return owner_.use_count(); }

 private:
  void check_dtype(DType wanted) const;

  std::shared_ptr<const void> owner_;
  void* data_ = nullptr;
  Shape shape_;
  int64_t numel_ = 0;
  DType dtype_ = DType::kF32;
};

template <class T>
Tensor Tensor::from(const std::vector<T>& values, Shape shape) {
  Tensor result(std::move(shape), DTypeOf<T>::value);
  if (result.numel() != static_cast<int64_t>(values.size()))
    throw user_error("[tensor] ", values.size(), " values do not fill shape ", result.shape());
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

/// NaNs and infinities in a floating tensor of any precision.
int64_t count_not_finite(const Tensor& tensor);

/// Tensors by name, in an order that matters to some: weights, states, files.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

}  // namespace shiftadd
