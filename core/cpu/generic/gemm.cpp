// The matrix products for any CPU.
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const ProductKernels<float>& product_kernels<Isa::kGeneric>() {
  return kProductKernels<Isa::kGeneric>;
}

}  // namespace shiftadd
