// The matrix products for AVX-512.
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const ProductKernels<float>& product_kernels<Isa::kAvx512>() {
  return kProductKernels<Isa::kAvx512>;
}

}  // namespace shiftadd
