// The table of the fastest kernels of each instruction set, from the sub-tables of its target.
#include "core/cpu/kernels.h"
#include "core/cpu/reference/reference.h"
#include "core/cpu/targets.h"
#include "core/error.h"

namespace shiftadd {
namespace {

template <class Choice>
void check_supported(const char* caller, Choice choice) {
  if (!supported(choice))
    throw user_error("[", caller, "] ", name_of(choice), " is not supported by this CPU");
}

// Made when first asked for: what returns a sub-table is compiled for its instruction set, too.
template <Isa isa>
const KernelTable<float>& table() {
  static const KernelTable<float> made = {
      product_kernels<isa>(),
      norm_kernels<isa>(),
      activation_kernels<isa>(),
      attention_kernels<isa>(),
      shift_kernels<isa>(),
      isa == Isa::kAvx512 ? int8_kernels(int8_unit()) : int8_kernels(isa),
      conv_kernels<isa>(),
      elementwise_kernels<isa>(),
      reference::kLossKernels<float>,
      optimizer_kernels<isa>(),
  };
  return made;
}

}  // namespace

const KernelTable<float>& cpu_kernels(Isa isa) {
  check_supported("cpu_kernels", isa);
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return table<Isa::kAvx512>();
  if (isa == Isa::kAvx2) return table<Isa::kAvx2>();
#endif
  return table<Isa::kGeneric>();
}

const KernelTable<float>& cpu_kernels() {
  static const KernelTable<float>& table = cpu_kernels(isa());
  return table;
}

const Int8Kernels<float>& int8_kernels(Isa isa) {
  check_supported("int8_kernels", isa);
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return int8_kernels<Isa::kAvx512>();
  if (isa == Isa::kAvx2) return int8_kernels<Isa::kAvx2>();
#endif
  return int8_kernels<Isa::kGeneric>();
}

const Int8Kernels<float>& int8_kernels(Int8Unit unit) {
  check_supported("int8_kernels", unit);
#if defined(__x86_64__)
  if (unit == Int8Unit::kAmx) return int8_kernels<Int8Unit::kAmx>();
  if (unit == Int8Unit::kVnni) return int8_kernels<Int8Unit::kVnni>();
#endif
  return int8_kernels(Isa::kAvx512);
}

const ProductKernels<float>& product_kernels(Bf16Unit unit) {
  check_supported("product_kernels", unit);
#if defined(__x86_64__)
  if (unit == Bf16Unit::kAmx) return product_kernels<Bf16Unit::kAmx>();
  if (unit == Bf16Unit::kAvx512) return product_kernels<Bf16Unit::kAvx512>();
#endif
  throw user_error("[product_kernels] there is no unit to multiply bf16 numbers");
}

}  // namespace shiftadd
