// The attention kernels for AVX2.
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const AttentionKernels<float>& attention_kernels<Isa::kAvx2>() {
  return kAttentionKernels;
}

}  // namespace shiftadd
