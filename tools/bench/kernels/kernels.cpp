// Chooses the bench's kernels by instruction set and unit, and packs the weight of the Shift
// product.
#include "tools/bench/kernels/kernels.h"

#include "core/error.h"
#include "core/shift.h"
#include "tools/bench/kernels/targets.h"

namespace shiftadd::tools {

PackedShift pack_shift(const Tensor& weight) {
  const ShiftIntegers integers = shift_integers(weight);
  PackedShift packed;
  packed.outputs = integers.outputs;
  packed.inputs = integers.inputs;
  packed.codes =
      Tensor::zeros({shift_panels(packed.outputs), packed.inputs, kShiftPanel / 2}, DType::kU8);
  packed.exponents = Tensor::from<int32_t>(integers.exponents, {packed.outputs});
  for (int64_t r = 0; r < packed.outputs; ++r) {
    const int64_t lane = r % kShiftPanel, half = kShiftPanel / 2;
    uint8_t* bytes = packed.codes.data<uint8_t>() + r / kShiftPanel * packed.inputs * half;
    for (int64_t j = 0; j < packed.inputs; ++j)
      bytes[j * half + lane % half] |= static_cast<uint8_t>(
          nibble_of(integers.values[r * packed.inputs + j]) << (lane < half ? 0 : 4));
  }
  return packed;
}

const BenchKernels& bench_kernels(Isa isa) {
  if (!supported(isa))
    throw user_error("[bench_kernels] ", name_of(isa), " is not supported by this CPU");
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return bench_kernels<Isa::kAvx512>();
  if (isa == Isa::kAvx2) return bench_kernels<Isa::kAvx2>();
#endif
  return bench_kernels<Isa::kGeneric>();
}

const BenchKernels& bench_kernels(Int8Unit unit) {
  if (!supported(unit))
    throw user_error("[bench_kernels] ", name_of(unit), " is not supported by this CPU");
#if defined(__x86_64__)
  if (unit == Int8Unit::kAmx) return bench_kernels<Int8Unit::kAmx>();
  if (unit == Int8Unit::kVnni) return bench_kernels<Int8Unit::kVnni>();
#endif
  return bench_kernels(Isa::kAvx512);
}

const BenchKernels& bench_kernels() {
  return isa() == Isa::kAvx512 ? bench_kernels(int8_unit()) : bench_kernels(isa());
}

}  // namespace shiftadd::tools
