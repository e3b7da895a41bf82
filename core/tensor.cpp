// Creates tensors and views, and converts between dtypes.
#include "core/tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/memory.h"

namespace shiftadd {

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '(';
  for (std::size_t i = 0; i < shape.size(); ++i) out << (i ? ", " : "") << shape[i];
  return out << (shape.size() == 1 ? ",)" : ")");
}

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBF16:
    case DType::kF16:
    case DType::kI16:
      return 2;
    case DType::kI8:
    case DType::kU8:
      return 1;
  }
  return 0;
}

const char* name_of(DType dtype) {
  static constexpr const char* kNames[] = {"f32", "f64", "bf16", "f16", "i64",
                                           "i32", "i16", "i8",   "u8"};
  return kNames[static_cast<int>(dtype)];
}

bool is_floating(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kF16 ||
         dtype == DType::kBF16;
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

float to_float(BFloat16 value) { return std::bit_cast<float>(uint32_t{value.bits} << 16); }

BFloat16 to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return {static_cast<uint16_t>((bits >> 16) | 0x40)};
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

float to_float(Float16 value) {
  const uint32_t sign = uint32_t{value.bits & 0x8000u} << 16;
  const uint32_t exponent = (value.bits >> 10) & 31, mantissa = value.bits & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

Float16 to_float16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<uint16_t>(sign | 0x7e00)};
  if (magnitude >= 0x477ff000) return {static_cast<uint16_t>(sign | 0x7c00)};  // rounds to infinity
  if (magnitude < 0x38800000) {  // subnormal: the float adder rounds half to even for us
    const float scaled = std::bit_cast<float>(magnitude) + 0.5f;
    return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(scaled) - 0x3f000000))};
  }
  const uint32_t rebased = magnitude - (112u << 23);
  return {static_cast<uint16_t>(sign | ((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13))};
}

int64_t element_count(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count))
      throw user_error("[tensor] shape ", shape, " is negative or too large");
  }
  return count;
}

Tensor::Tensor(Shape shape, DType dtype)
    : shape_(std::move(shape)), numel_(element_count(shape_)), dtype_(dtype) {
  const std::size_t size = bytes();
  data_ = allocate(size);
  owner_ = std::shared_ptr<const void>(
      data_, [size](const void* block) { deallocate(const_cast<void*>(block), size); });
}

Tensor Tensor::zeros(Shape shape, DType dtype) {
  Tensor result(std::move(shape), dtype);
  std::memset(result.data_, 0, result.bytes());
  return result;
}

Tensor Tensor::full(Shape shape, double value, DType dtype) {
  Tensor result(std::move(shape), dtype);
  result.fill(value);
  return result;
}

Tensor Tensor::wrap(std::shared_ptr<const void> owner, const void* data, Shape shape, DType dtype) {
  Tensor result;
  result.numel_ = element_count(shape);
  result.shape_ = std::move(shape);
  result.dtype_ = dtype;
  result.owner_ = std::move(owner);
  result.data_ = const_cast<void*>(data);
  return result;
}

Tensor Tensor::reshape(Shape shape) const {
  int64_t known = 1, unknown = -1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && unknown < 0)
      unknown = static_cast<int64_t>(i);
    else
      known *= shape[i];
  }
  if (unknown >= 0 && known > 0) shape[unknown] = numel_ / known;
  if (element_count(shape) != numel_)
    throw user_error("[reshape] ", shape_, " has ", numel_, " elements, ", shape,
                     " asks for another number");
  Tensor view = *this;
  view.shape_ = std::move(shape);
  return view;
}

Tensor Tensor::slice(int64_t begin, int64_t end) const {
  if (rank() == 0 || begin < 0 || begin > end || end > dim(0))
    throw user_error("[slice] rows ", begin, " to ", end, " of ", shape_);
  Tensor view = *this;
  const int64_t row = dim(0) ? numel_ / dim(0) : 0;
  view.shape_[0] = end - begin;
  view.numel_ = row * (end - begin);
  view.data_ = static_cast<char*>(data_) + begin * row * static_cast<int64_t>(size_of(dtype_));
  return view;
}

Tensor Tensor::clone() const {
  Tensor copy(shape_, dtype_);
  std::memcpy(copy.data_, data_, bytes());
  return copy;
}

void Tensor::copy_from(const Tensor& source) const {
  if (source.shape_ != shape_ || source.dtype_ != dtype_)
    throw user_error("[copy] source is ", source.dtype_, source.shape_, ", target is ", dtype_,
                     shape_);
  std::memcpy(data_, source.data_, bytes());
}

namespace {

// Calls body(pointer) with the tensor's elements as the right C++ type.
template <class Body>
void visit(const Tensor& tensor, Body body) {
  switch (tensor.dtype()) {
    case DType::kF32:
      return body(tensor.data<float>());
    case DType::kF64:
      return body(tensor.data<double>());
    case DType::kBF16:
      return body(tensor.data<BFloat16>());
    case DType::kF16:
      return body(tensor.data<Float16>());
    case DType::kI64:
      return body(tensor.data<int64_t>());
    case DType::kI32:
      return body(tensor.data<int32_t>());
    case DType::kI16:
      return body(tensor.data<int16_t>());
    case DType::kI8:
      return body(tensor.data<int8_t>());
    case DType::kU8:
      return body(tensor.data<uint8_t>());
  }
}

template <class T>
double widen(T value) {
  return static_cast<double>(value);
}
double widen(BFloat16 value) { return to_float(value); }
double widen(Float16 value) { return to_float(value); }
template <class T>
void narrow(double value, T& out) {
  out = static_cast<T>(value);
}
void narrow(double value, BFloat16& out) { out = to_bfloat16(static_cast<float>(value)); }
void narrow(double value, Float16& out) { out = to_float16(static_cast<float>(value)); }

}  // namespace

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor result(shape_, dtype);
  visit(*this, [&](auto* in) {
    visit(result, [&](auto* out) {
      for (int64_t i = 0; i < numel_; ++i) narrow(widen(in[i]), out[i]);
    });
  });
  return result;
}

void Tensor::fill(double value) const {
  visit(*this, [&](auto* out) {
    for (int64_t i = 0; i < numel_; ++i) narrow(value, out[i]);
  });
}

void Tensor::check_dtype(DType wanted) const {
  if (dtype_ != wanted) throw failure("[tensor] holds ", dtype_, ", asked for ", wanted);
}

int64_t count_not_finite(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::kF32);
  int64_t count = 0;
  for (const float value : values.span<float>()) count += !std::isfinite(value);
  return count;
}

}  // namespace shiftadd
