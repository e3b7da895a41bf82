// The kernels other than products and attention for any CPU.
#include "core/cpu/simd/tables.h"
#include "core/cpu/targets.h"

namespace shiftadd {

template <>
const NormKernels<float>& norm_kernels<Isa::kGeneric>() {
  return kNormKernels;
}

template <>
const ActivationKernels<float>& activation_kernels<Isa::kGeneric>() {
  return kActivationKernels;
}

template <>
const ShiftKernels<float>& shift_kernels<Isa::kGeneric>() {
  return kShiftKernels;
}

template <>
const ElementwiseKernels<float>& elementwise_kernels<Isa::kGeneric>() {
  return kElementwiseKernels;
}

template <>
const OptimizerKernels<float>& optimizer_kernels<Isa::kGeneric>() {
  return kOptimizerKernels;
}

}  // namespace shiftadd
