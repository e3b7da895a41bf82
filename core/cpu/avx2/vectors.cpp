// The kernels other than products and attention for AVX2.
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const NormKernels<float>& norm_kernels<Isa::kAvx2>() {
  return kNormKernels;
}

template <>
const ActivationKernels<float>& activation_kernels<Isa::kAvx2>() {
  return kActivationKernels;
}

template <>
const ShiftKernels<float>& shift_kernels<Isa::kAvx2>() {
  return kShiftKernels;
}

template <>
const ElementwiseKernels<float>& elementwise_kernels<Isa::kAvx2>() {
  return kElementwiseKernels;
}

template <>
const OptimizerKernels<float>& optimizer_kernels<Isa::kAvx2>() {
  return kOptimizerKernels;
}

}  // namespace shiftadd
