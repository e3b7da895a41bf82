// The table of the fastest kernels of each instruction set.
#include "core/cpu/gemm.h"
#include "core/cpu/int8.h"
#include "core/cpu/kernels.h"
#include "core/error.h"

namespace shiftadd {
namespace {

// Kernels without a fast version (the losses, a few thousand numbers a step) stay the reference
// ones.
template <Isa isa>
KernelTable<float> make() {
  KernelTable<float> table = reference_kernels<float>();
  const Int8Functions* int8 = &int8_functions_generic();
  if (isa == Isa::kGeneric) {
    set_kernels_generic(table);
    set_attention_kernels_generic(table);
  }
  table.gemm = [](const GemmArgs<float>& args) { multiply(isa, args); };
  table.conv2d = conv2d<isa>;
  table.conv2d_backward = conv2d_backward<isa>;
  table.depthwise_conv2d = depthwise_conv2d;
  table.depthwise_conv2d_backward = depthwise_conv2d_backward;
  table.drop = drop;
#if defined(__x86_64__)
  if (isa == Isa::kAvx2) {
    set_kernels_avx2(table);
    set_attention_kernels_avx2(table);
    int8 = &int8_functions_avx2();
  }
  if (isa == Isa::kAvx512) {
    set_kernels_avx512(table);
    set_attention_kernels_avx512(table);
    int8 = &int8_functions(int8_unit());
  }
#endif
  table.int8_gemm = int8->gemm;
  table.dot_attention = int8->dot_attention;
  table.int8_attention = int8->int8_attention;
  table.mat_add_keys = int8->mat_add_keys;
  table.mat_add_queries = int8->mat_add_queries;
  return table;
}

// Made when first asked for: what fills a table is compiled for its instruction set, too.
template <Isa isa>
const KernelTable<float>& table() {
  static const KernelTable<float> made = make<isa>();
  return made;
}

}  // namespace

const KernelTable<float>& cpu_kernels(Isa isa) {
  if (!supported(isa))
    throw user_error("[cpu_kernels] ", name_of(isa), " is not supported by this CPU");
  return isa == Isa::kAvx512 ? table<Isa::kAvx512>()
         : isa == Isa::kAvx2 ? table<Isa::kAvx2>()
                             : table<Isa::kGeneric>();
}

const KernelTable<float>& cpu_kernels() {
  static const KernelTable<float>& table = cpu_kernels(isa());
  return table;
}

}  // namespace shiftadd
