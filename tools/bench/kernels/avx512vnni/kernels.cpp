// The bench's kernels for AVX512-VNNI.
#include "core/cpu/avx512vnni/int8_unit.h"
#include "tools/bench/kernels/simd/table.h"
#include "tools/bench/kernels/targets.h"

namespace shiftadd::tools {

template <>
const BenchKernels& bench_kernels<Int8Unit::kVnni>() {
  return kBenchKernels<Int8Dots>;
}

}  // namespace shiftadd::tools
