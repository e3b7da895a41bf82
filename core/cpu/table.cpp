// The table of the fastest kernels of each instruction set.
#include "core/cpu/gemm.h"
#include "core/error.h"
#include "core/kernels.h"

namespace shiftadd {
namespace {

KernelTable<float> make(Isa isa) {
  KernelTable<float> table = reference_kernels<float>();
  table.gemm = gemm_functions(isa).gemm;
  return table;
}

}  // namespace

const KernelTable<float>& cpu_kernels(Isa isa) {
  if (!supported(isa)) throw user_error("[cpu_kernels] this CPU has no ", name_of(isa));
  static const KernelTable<float> tables[] = {make(Isa::kGeneric), make(Isa::kAvx2),
                                              make(Isa::kAvx512)};
  return tables[static_cast<int>(isa)];
}

const KernelTable<float>& cpu_kernels() {
  static const KernelTable<float>& table = cpu_kernels(isa());
  return table;
}

}  // namespace shiftadd
