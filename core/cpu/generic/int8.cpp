// The int8 products and attention for any CPU.
#include "core/cpu/generic/int8_unit.h"
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const Int8Kernels<float>& int8_kernels<Isa::kGeneric>() {
  return kInt8Kernels<Int8Dots>;
}

}  // namespace shiftadd
