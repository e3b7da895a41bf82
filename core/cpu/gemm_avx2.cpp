// The matrix products for AVX2.
#include "core/cpu/simd/gemm.h"

namespace shiftadd {

const GemmFunctions& gemm_functions_avx2() {
  static constexpr GemmFunctions functions = {gemm, packed_size, pack, gemm_packed};
  return functions;
}

}  // namespace shiftadd
