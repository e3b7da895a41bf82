// The table of reference kernels, from their sub-tables.
#include "core/cpu/reference/reference.h"

namespace shiftadd {

template <class T>
const KernelTable<T>& reference_kernels() {
  using namespace reference;
  static constexpr KernelTable<T> table = {
      kProductKernels<T>, kNormKernels<T>,      kActivationKernels<T>, kAttentionKernels<T>,
      kShiftKernels<T>,   kInt8Kernels<T>,      kConvKernels<T>,       kElementwiseKernels<T>,
      kLossKernels<T>,    kOptimizerKernels<T>,
  };
  return table;
}

template const KernelTable<float>& reference_kernels<float>();
template const KernelTable<double>& reference_kernels<double>();

}  // namespace shiftadd
