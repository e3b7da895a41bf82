// The kernels other than matrix products and attention for AVX-512.
#include "core/cpu/simd/table.h"

namespace shiftadd {

void set_kernels_avx512(KernelTable<float>& table) { set_kernels(table); }

}  // namespace shiftadd
