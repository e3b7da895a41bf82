// The int8 products and attention for AVX2.
#include "core/cpu/avx2/int8_unit.h"
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const Int8Kernels<float>& int8_kernels<Isa::kAvx2>() {
  return kInt8Kernels<Int8Dots>;
}

}  // namespace shiftadd
