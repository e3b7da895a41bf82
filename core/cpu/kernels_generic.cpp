// The kernels other than matrix products and attention for any CPU.
#include "core/cpu/simd/table.h"

namespace shiftadd {

void set_kernels_generic(KernelTable<float>& table) { set_kernels(table); }

}  // namespace shiftadd
