// The bench's kernels for AVX2.
#include "core/cpu/avx2/int8_unit.h"
#include "tools/bench/kernels/simd/table.h"
#include "tools/bench/kernels/targets.h"

namespace shiftadd::tools {

template <>
const BenchKernels& bench_kernels<Isa::kAvx2>() {
  return kBenchKernels<Int8Dots>;
}

}  // namespace shiftadd::tools
