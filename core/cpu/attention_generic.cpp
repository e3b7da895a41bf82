// The attention kernels for any CPU.
#include "core/cpu/simd/attention_table.h"

namespace shiftadd {

void set_attention_kernels_generic(KernelTable<float>& table) { set_attention(table); }

}  // namespace shiftadd
