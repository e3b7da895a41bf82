// The matrix products for any CPU.
#include "core/cpu/simd/gemm.h"

namespace shiftadd {

const GemmFunctions& gemm_functions_generic() {
  static constexpr GemmFunctions functions = {gemm, packed_size, pack, gemm_packed};
  return functions;
}

}  // namespace shiftadd
