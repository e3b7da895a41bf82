// The int8 products and attention for AVX512-VNNI.
#include "core/cpu/avx512vnni/int8_unit.h"
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const Int8Kernels<float>& int8_kernels<Int8Unit::kVnni>() {
  return kInt8Kernels<Int8Dots>;
}

}  // namespace shiftadd
