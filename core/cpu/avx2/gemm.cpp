// The matrix products for AVX2.
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const ProductKernels<float>& product_kernels<Isa::kAvx2>() {
  return kProductKernels<Isa::kAvx2>;
}

}  // namespace shiftadd
