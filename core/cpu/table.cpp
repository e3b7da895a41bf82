// The table of the fastest kernels of each instruction set.
#include "core/cpu/isa.h"
#include "core/error.h"
#include "core/kernels.h"

namespace shiftadd {

const KernelTable<float>& cpu_kernels(Isa isa) {
  if (!supported(isa)) throw user_error("[cpu_kernels] this CPU has no ", name_of(isa));
  return reference_kernels<float>();
}

const KernelTable<float>& cpu_kernels() {
  static const KernelTable<float>& table = cpu_kernels(isa());
  return table;
}

}  // namespace shiftadd
