// An interpreter of PTX: what nvcc made of the kernels, run without a GPU.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cuda/simt/kernel.h"
#include "tests/cuda/ptx/ptx_module.h"

namespace shiftadd::ptx {

class Program;

class Machine {
 public:
  Machine();
  Machine(Machine&&) noexcept;
  ~Machine();

  /// Adds the kernels of a module. Throws failure() of text that it cannot read.
  void add(const std::string& text, const std::string& file);

  /// Runs the kernel of that name to its end, blocks and warps in order. Faults go to the host
  /// executor's reports, with file, line, block and thread; so does an instruction that is not
  /// known, and nothing runs then.
  void run(const std::string& kernel, const simt::Shape& shape, const void* args);

 private:
  struct Kernel {
    Entry entry;
    std::unique_ptr<Program> program;  // made by the first launch
  };
  std::map<std::string, Kernel> kernels_;
};

/// The name that the host knows a kernel by: "int8_attention_32" of the mangled
/// `void shiftadd::cuda::int8_attention<32>(shiftadd::cuda::AttendArgs)`.
std::string kernel_name(const std::string& mangled);

}  // namespace shiftadd::ptx
