// The bench's kernels for any CPU.
#include "core/cpu/generic/int8_unit.h"
#include "tools/bench/kernels/simd/table.h"
#include "tools/bench/kernels/targets.h"

namespace shiftadd::tools {

template <>
const BenchKernels& bench_kernels<Isa::kGeneric>() {
  return kBenchKernels<Int8Dots>;
}

}  // namespace shiftadd::tools
