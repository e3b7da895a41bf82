// The int8 products and attention for AVX-512.
#include "core/cpu/avx512/int8_unit.h"
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const Int8Kernels<float>& int8_kernels<Isa::kAvx512>() {
  return kInt8Kernels<Int8Dots>;
}

}  // namespace shiftadd
