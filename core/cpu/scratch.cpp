// Allocates the buffers of the kernels, which grow and are freed with their thread.
#include "core/cpu/scratch.h"

#include "core/memory.h"

namespace shiftadd {
namespace {

struct Buffer {
  ~Buffer() { release(); }
  void release() {
    if (data) deallocate(data, bytes);
    data = nullptr;
    bytes = 0;
  }
  float* data = nullptr;
  std::size_t bytes = 0;
};

}  // namespace

float* scratch(Scratch slot, int64_t floats) {
  thread_local Buffer buffers[static_cast<int>(Scratch::kCount)];
  Buffer& buffer = buffers[static_cast<int>(slot)];
  const std::size_t bytes = floats * sizeof(float);
  if (buffer.bytes < bytes) {
    buffer.release();
    buffer.data = static_cast<float*>(allocate(bytes));
    buffer.bytes = bytes;
  }
  return buffer.data;
}

}  // namespace shiftadd
