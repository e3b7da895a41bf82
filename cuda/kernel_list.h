// The kernels by number: typed names for the engine, which links none of them, and the list for
// what runs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cuda/simt/kernel.h"

namespace shiftadd::cuda {

/// A kernel by its number; Device::launch takes it with an Args and nothing else.
template <class Args>
struct KernelOf {
  uint32_t number;
};

#define SHIFTADD_KERNEL(name, Args) struct Args;
#include "cuda/kernel_list.inc"
#undef SHIFTADD_KERNEL

/// The kernels' numbers: their places in the list.
enum class KernelNumber : uint32_t {
#define SHIFTADD_KERNEL(name, Args) name,
#include "cuda/kernel_list.inc"
#undef SHIFTADD_KERNEL
  kCount
};

/// kernels::layer_norm
namespace kernels {
#define SHIFTADD_KERNEL(name, Args) \
  inline constexpr KernelOf<Args> name{static_cast<uint32_t>(KernelNumber::name)};
#include "cuda/kernel_list.inc"
#undef SHIFTADD_KERNEL
}  // namespace kernels

/// The kernels' names by number.
inline constexpr const char* kKernelNames[] = {
#define SHIFTADD_KERNEL(name, Args) #name,
#include "cuda/kernel_list.inc"
#undef SHIFTADD_KERNEL
    nullptr};

inline constexpr std::size_t kKernels = static_cast<std::size_t>(KernelNumber::kCount);

/// The kernels by number. Whoever calls this links them all: the plug-in and the host executor.
std::span<const simt::Kernel* const> all_kernels();

}  // namespace shiftadd::cuda
