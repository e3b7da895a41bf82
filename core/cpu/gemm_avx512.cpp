// The matrix products for AVX-512.
#include "core/cpu/simd/gemm.h"

namespace shiftadd {

const GemmFunctions& gemm_functions_avx512() {
  static constexpr GemmFunctions functions = {gemm, packed_size, pack, gemm_packed};
  return functions;
}

}  // namespace shiftadd
