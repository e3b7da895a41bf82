// What a checker is told while kernels run. Without one, nobody is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/simt/kernel.h"

namespace shiftadd::simt {

enum class Access { kRead, kWrite, kAtomic };

class Observer {
 public:
  virtual ~Observer() = default;

  virtual void begin_launch(const Kernel& kernel, const Shape& shape, const void* args) = 0;
  virtual void begin_block() = 0;
  /// Bytes of shared memory that the block may use, not initialised.
  virtual void add_shared(const void* p, std::size_t bytes) = 0;
  virtual void pass_block_barrier() = 0;
  virtual void pass_warp_barrier(unsigned warp, uint32_t mask) = 0;
  /// The running thread is about to access the bytes; `pc` is where, null of an operation of the
  /// vocabulary, which the thread's site names.
  virtual void access(const void* p, std::size_t bytes, Access access, const void* pc) = 0;
  /// The running thread's asynchronous copy to these bytes is on its way: they hold nothing.
  virtual void empty(const void* p, std::size_t bytes) = 0;
  /// The running thread lets the next kernel start.
  virtual void release_successor() = 0;

  virtual void allocate_device(const void* p, std::size_t bytes) = 0;
  virtual void release_device(const void* p, std::size_t bytes) = 0;
  /// The host has filled the bytes.
  virtual void write_device(const void* p, std::size_t bytes) = 0;
};

inline Observer* observer = nullptr;

}  // namespace shiftadd::simt
