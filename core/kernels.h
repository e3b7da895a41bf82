// The kernel table: for each subject, a header of core/kernels/ with one plain Args struct and one
// function pointer per kernel. Ops validate, kernels trust: pointers are valid, sizes agree,
// nothing overlaps unless a comment allows it.
//
// Conventions: matrices are row-major; "rows" counts vectors along the last axis; a kernel threads
// itself through core/parallel.h with a partition fixed by shape alone. Gradients of activations
// are ASSIGNED; gradients of parameters (weight, bias, gamma, beta) are ACCUMULATED. A null pointer
// where a comment says "or null" leaves that part out.
#pragma once

#include "core/kernels/activation.h"
#include "core/kernels/attention.h"
#include "core/kernels/conv.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/int8.h"
#include "core/kernels/loss.h"
#include "core/kernels/norm.h"
#include "core/kernels/optimizer.h"
#include "core/kernels/product.h"
#include "core/kernels/shift.h"

namespace shiftadd {

/// All kernels of a target. Each sub-table is filled whole by designated initialisers where its
/// kernels are compiled: one that is forgotten there does not compile.
template <class T>
struct KernelTable : ProductKernels<T>,
                     NormKernels<T>,
                     ActivationKernels<T>,
                     AttentionKernels<T>,
                     ShiftKernels<T>,
                     Int8Kernels<T>,
                     ConvKernels<T>,
                     ElementwiseKernels<T>,
                     LossKernels<T>,
                     OptimizerKernels<T> {};

/// The plain, readable definition of each kernel, for float and double: the oracle of the fast ones
/// and the arithmetic of gradient checks.
template <class T>
const KernelTable<T>& reference_kernels();
extern template const KernelTable<float>& reference_kernels<float>();
extern template const KernelTable<double>& reference_kernels<double>();

/// The fastest kernels this CPU runs, chosen once by core/cpu/isa.h
/// (SHIFTADD_ISA=generic|avx2|avx512 lowers the choice).
const KernelTable<float>& cpu_kernels();

/// What an op calls: cpu_kernels() for float, reference_kernels<double>() for double.
template <class T>
const KernelTable<T>& kernels();
template <>
inline const KernelTable<float>& kernels<float>() {
  return cpu_kernels();
}
template <>
inline const KernelTable<double>& kernels<double>() {
  return reference_kernels<double>();
}

}  // namespace shiftadd
