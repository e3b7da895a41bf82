// The attention kernels for any CPU.
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const AttentionKernels<float>& attention_kernels<Isa::kGeneric>() {
  return kAttentionKernels;
}

}  // namespace shiftadd
