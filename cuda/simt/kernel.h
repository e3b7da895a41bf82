// What the host knows of a kernel: its name, its two bodies and the shape of a launch.
#pragma once

#include <cstddef>
#include <type_traits>

namespace shiftadd::simt {

/// One kernel of either build. `device` is the address that the CUDA runtime launches by (null in
/// the host build); `host` runs one thread of the kernel on the host executor (null under nvcc).
struct Kernel {
  const char* name;
  const void* device;
  void (*host)(const void* args);
  std::size_t args_bytes;
};

/// The threads of a launch and the dynamic shared memory of each of its blocks.
struct Shape {
  unsigned grid_x = 1, grid_y = 1, grid_z = 1;
  unsigned block_x = 1, block_y = 1, block_z = 1;
  std::size_t shared_bytes = 0;
  /// Programmatic dependent launch: may start before the kernel before has ended, and touches
  /// nothing of that kernel until simt::wait_for_predecessor().
  bool overlaps = false;
};

/// CUDA's limit for the parameters of a kernel.
constexpr std::size_t kMostArgsBytes = 4096;

template <class Args>
constexpr bool are_kernel_args = std::is_trivially_copyable_v<Args> &&
                                 sizeof(Args) <= kMostArgsBytes;

}  // namespace shiftadd::simt

/// In the kernel's header: declares `const simt::Kernel& NAME_kernel();`.
#define SIMT_DECLARE_KERNEL(name) const ::shiftadd::simt::Kernel& name##_kernel()

/// After `__global__ void NAME(const ARGS args)`: defines NAME_kernel().
#define SIMT_KERNEL(name, Args) SIMT_KERNEL_AS(name, Args, name)

/// The same for an instance of a template: SIMT_KERNEL_AS(gemm_small, GemmArgs, gemm<64, 32>).
#if defined(__CUDACC__)
#define SIMT_KERNEL_AS(name, Args, ...)                                                \
  const ::shiftadd::simt::Kernel& name##_kernel() {                                    \
    static_assert(::shiftadd::simt::are_kernel_args<Args>, #Args " cannot be passed"); \
    static const ::shiftadd::simt::Kernel kernel = {                                   \
        #name, reinterpret_cast<const void*>(&__VA_ARGS__), nullptr, sizeof(Args)};    \
    return kernel;                                                                     \
  }                                                                                    \
  static_assert(true)
#else
#define SIMT_KERNEL_AS(name, Args, ...)                                                           \
  const ::shiftadd::simt::Kernel& name##_kernel() {                                               \
    static_assert(::shiftadd::simt::are_kernel_args<Args>, #Args " cannot be passed");            \
    static const ::shiftadd::simt::Kernel kernel = {                                              \
        #name, nullptr, [](const void* args) { (__VA_ARGS__)(*static_cast<const Args*>(args)); }, \
        sizeof(Args)};                                                                            \
    return kernel;                                                                                \
  }                                                                                               \
  static_assert(true)
#endif
