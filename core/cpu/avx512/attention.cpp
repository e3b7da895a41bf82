// The attention kernels for AVX-512.
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const AttentionKernels<float>& attention_kernels<Isa::kAvx512>() {
  return kAttentionKernels;
}

}  // namespace shiftadd
