// A device through the table of device_api.h: memory, copies, launches and graphs that release
// themselves, and errors that say what to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cuda/device_api.h"
#include "cuda/kernel_list.h"
#include "cuda/simt/kernel.h"

namespace shiftadd::cuda {

/// What is asked of it happens in order, and nothing is waited for but where that is said. One
/// thread at a time: share() is for others. All functions throw Error (failure).
class Device {
  struct Context;

 public:
  /// Memory of the device or pinned memory of the host, released at its end. Work that uses it must
  /// have been waited for by then.
  class Memory {
   public:
    Memory() = default;
    Memory(Memory&& other) noexcept;
    Memory& operator=(Memory&& other) noexcept;
    ~Memory();
    void* get() const { return memory_; }
    std::size_t bytes() const { return bytes_; }
    template <class T>
    T* as() const {
      return static_cast<T*>(memory_);
    }

   private:
    friend class Device;
    using Release = void (*)(shiftadd_device_context*, void*);
    Memory(std::shared_ptr<Context> context, void* memory, std::size_t bytes, Release release);
    std::shared_ptr<Context> context_;
    void* memory_ = nullptr;
    std::size_t bytes_ = 0;
    Release release_ = nullptr;
  };

  /// Recorded work. It must have been waited for before its end.
  class Graph {
   public:
    Graph() = default;
    Graph(Graph&& other) noexcept;
    Graph& operator=(Graph&& other) noexcept;
    ~Graph();
    explicit operator bool() const { return graph_ != nullptr; }

   private:
    friend class Device;
    Graph(std::shared_ptr<Context> context, shiftadd_device_graph* graph);
    std::shared_ptr<Context> context_;
    shiftadd_device_graph* graph_ = nullptr;
  };

  /// A stream of the device of that number. `api` outlives it: a plug-in is never unloaded.
  Device(const shiftadd_device_api& api, int number);
  /// Another stream of the same device: memory of one may be used in the other.
  Device share() const;

  const shiftadd_device_description& description() const;

  /// At least one byte, aligned to 256.
  Memory allocate(std::size_t bytes);
  /// Host memory that is copied from and to without a detour, and that a recorded copy may use.
  Memory allocate_pinned(std::size_t bytes);

  /// The host's memory is read or written at any time until synchronise() returns.
  void copy_in(void* device, const void* host, std::size_t bytes);
  void copy_out(void* host, const void* device, std::size_t bytes);
  void fill(void* device, uint8_t byte, std::size_t bytes);

  template <class Args>
  void launch(KernelOf<Args> kernel, const simt::Shape& shape, const Args& args) {
    launch(kernel.number, shape, &args, sizeof args);
  }
  /// A kernel that is chosen at run time: the device refuses arguments of another size.
  template <class Args>
  void launch(KernelNumber kernel, const simt::Shape& shape, const Args& args) {
    launch(static_cast<uint32_t>(kernel), shape, &args, sizeof args);
  }
  /// `args` is copied.
  void launch(uint32_t kernel, const simt::Shape& shape, const void* args, std::size_t args_bytes);

  /// A product of another library (device_api.h), for comparisons. Returns why the device has none
  /// of that shape; empty: it was asked for. The first of a shape must not be recorded.
  std::string dense_product(const shiftadd_dense_shape& shape, const void* a, const void* b,
                            void* c);

  /// What `record` asks of this device, to be launched later as often as wanted. It may neither
  /// allocate nor synchronise, and its copies are from or to pinned memory.
  Graph capture(const std::function<void()>& record);
  void launch(const Graph& graph);
  /// Launches it that often and waits; the seconds that one took by the device's clock.
  double time(const Graph& graph, uint32_t times);

  /// Waits for all that was asked, and throws what failed in it.
  void synchronise();

  shiftadd_device_counters counters() const;

 private:
  std::shared_ptr<Context> context_;
};

}  // namespace shiftadd::cuda
