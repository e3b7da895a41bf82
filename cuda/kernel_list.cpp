// The list of all kernels, for what runs them: compiled for the host executor and into the plug-in.
#include "cuda/kernel_list.h"

#include "cuda/simt/kernel.h"

namespace shiftadd::cuda {

#define SHIFTADD_KERNEL(name, Args) SIMT_DECLARE_KERNEL(name);
#include "cuda/kernel_list.inc"
#undef SHIFTADD_KERNEL

std::span<const simt::Kernel* const> all_kernels() {
  static const simt::Kernel* const kernels[] = {
#define SHIFTADD_KERNEL(name, Args) &name##_kernel(),
#include "cuda/kernel_list.inc"
#undef SHIFTADD_KERNEL
      nullptr};
  return std::span(kernels).first(kKernels);
}

}  // namespace shiftadd::cuda
