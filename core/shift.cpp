// Packs Shift weights into nibbles.
#include "core/shift.h"

#include <cmath>
#include <vector>

#include "core/kernels.h"

namespace shiftadd {
namespace {

constexpr int64_t kMostInputs = int64_t{1} << 18;

// code: 0 or +-2^k, k <= 6.
uint8_t nibble_of(int8_t code) {
  if (code == 0) return 0;
  const unsigned magnitude = code < 0 ? -code : code;
  return static_cast<uint8_t>((code < 0 ? 8 : 0) | (std::countr_zero(magnitude) + 1));
}

}  // namespace

PackedShift pack_shift(const Tensor& weight) {
  if (weight.rank() != 2 || weight.dtype() != DType::kF32)
    throw user_error("[pack_shift] weight is ", weight.dtype(), weight.shape(),
                     ": expected an f32 matrix");
  PackedShift packed;
  packed.outputs = weight.dim(0);
  packed.inputs = weight.dim(1);
  if (packed.inputs > kMostInputs)
    throw user_error("[pack_shift] weight is ", weight.shape(), ": expected at most ", kMostInputs,
                     " inputs");
  for (float w : weight.span<float>()) {
    if (!std::isfinite(w))
      throw user_error("[pack_shift] weight ", weight.shape(), " holds ", w,
                       ": expected finite numbers");
  }
  packed.codes =
      Tensor::zeros({shift_panels(packed.outputs), packed.inputs, kShiftPanel / 2}, DType::kU8);
  packed.exponents = Tensor({packed.outputs}, DType::kI32);
  std::vector<int8_t> codes(weight.numel());
  cpu_kernels().shift_quantize({packed.outputs, packed.inputs, ShiftFormat::k4Bit,
                                weight.data<float>(), nullptr, codes.data(),
                                packed.exponents.data<int32_t>()});
  for (int64_t r = 0; r < packed.outputs; ++r) {
    const int64_t lane = r % kShiftPanel, half = kShiftPanel / 2;
    uint8_t* bytes = packed.codes.data<uint8_t>() + r / kShiftPanel * packed.inputs * half;
    for (int64_t j = 0; j < packed.inputs; ++j)
      bytes[j * half + lane % half] |=
          static_cast<uint8_t>(nibble_of(codes[r * packed.inputs + j]) << (lane < half ? 0 : 4));
  }
  return packed;
}

}  // namespace shiftadd
