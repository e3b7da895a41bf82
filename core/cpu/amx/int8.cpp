// The int8 products and attention for AMX.
#include "core/cpu/amx/int8_unit.h"
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const Int8Kernels<float>& int8_kernels<Int8Unit::kAmx>() {
  return kInt8Kernels<Int8Dots>;
}

}  // namespace shiftadd
