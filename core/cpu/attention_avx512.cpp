// The attention kernels for AVX-512.
#include "core/cpu/simd/attention_table.h"

namespace shiftadd {

void set_attention_kernels_avx512(KernelTable<float>& table) { set_attention(table); }

}  // namespace shiftadd
