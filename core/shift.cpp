// Finds the 4-bit codes of Shift weights, and the nibble of a code.
#include "core/shift.h"

#include <cmath>

#include "core/kernels.h"

namespace shiftadd {

void check_weight(const char* what, const Tensor& weight) {
  constexpr int64_t kMostInputs = int64_t{1} << 18;
  if (weight.rank() != 2 || weight.dtype() != DType::kF32)
    throw user_error("[", what, "] weight is ", weight.dtype(), weight.shape(),
                     ": expected an f32 matrix");
  if (weight.dim(1) > kMostInputs)
    throw user_error("[", what, "] weight is ", weight.shape(), ": expected at most ", kMostInputs,
                     " inputs");
  for (float w : weight.span<float>()) {
    if (!std::isfinite(w))
      throw user_error("[", what, "] weight ", weight.shape(), " holds ", w,
                       ": expected finite numbers");
  }
}

ShiftIntegers shift_integers(const Tensor& weight) {
  check_weight("shift_integers", weight);
  ShiftIntegers result;
  result.outputs = weight.dim(0);
  result.inputs = weight.dim(1);
  result.values.resize(weight.numel());
  result.exponents.resize(result.outputs);
  cpu_kernels().shift_quantize({result.outputs, result.inputs, ShiftFormat::k4Bit,
                                weight.data<float>(), nullptr, result.values.data(),
                                result.exponents.data()});
  return result;
}

uint8_t nibble_of(int8_t code) {
  if (code == 0) return 0;
  const unsigned magnitude = code < 0 ? -code : code;
  return static_cast<uint8_t>((code < 0 ? 8 : 0) | (std::countr_zero(magnitude) + 1));
}

}  // namespace shiftadd
