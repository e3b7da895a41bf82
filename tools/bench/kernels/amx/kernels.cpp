// The bench's kernels for AMX.
#include "core/cpu/amx/int8_unit.h"
#include "tools/bench/kernels/simd/table.h"
#include "tools/bench/kernels/targets.h"

namespace shiftadd::tools {

template <>
const BenchKernels& bench_kernels<Int8Unit::kAmx>() {
  return kBenchKernels<Int8Dots>;
}

}  // namespace shiftadd::tools
