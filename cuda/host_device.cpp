// Queues what a device is asked for and does it on the host executor when it is waited for.
#include "cuda/host_device.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "cuda/dense_product.h"
#include "cuda/host_machine.h"
#include "cuda/kernel_list.h"
#include "cuda/simt/device_heap.h"
#include "cuda/simt/executor.h"

using shiftadd::concat;

namespace {
using Work = std::vector<std::function<void()>>;
}

struct shiftadd_device_graph {
  std::shared_ptr<const Work> work;
};

struct shiftadd_device_context {
  int device = 0;
  shiftadd_device_description description = {};
  Work queue;
  Work recorded;
  bool recording = false;
  bool lost = false;
  std::string recording_error;  // of the first call that a recording forbids
  shiftadd_device_counters counters = {};
  std::set<shiftadd::cuda::DenseKey> known_products;
};

namespace shiftadd::cuda {
namespace {

using Context = shiftadd_device_context;
using Status = shiftadd_device_status;

/// Why a call is refused; never leaves this file.
struct Refused {
  Status status;
  std::string text;
};

thread_local std::string last_error;

// C gets a status and a kept text, and no exception.
template <class Body>
Status guarded(Body body) noexcept {
  try {
    body();
    return SHIFTADD_DEVICE_OK;
  } catch (const Refused& refused) {
    last_error = refused.text;
    return refused.status;
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
    return SHIFTADD_DEVICE_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    last_error = error.what();
    return SHIFTADD_DEVICE_OTHER;
  }
}

template <class... Parts>
Refused other(const Parts&... parts) {
  return {SHIFTADD_DEVICE_OTHER, concat(parts...)};
}

std::span<const simt::Kernel* const> known_kernels() {
  const auto chosen = host_device_options().kernels;
  return chosen.empty() ? all_kernels() : chosen;
}

const char* kernel_name(uint32_t number) {
  return number < known_kernels().size() ? known_kernels()[number]->name : nullptr;
}

const char* error_text() { return last_error.c_str(); }

Status count_devices(int32_t* count) {
  return guarded([&] {
    if (host_device_options().devices < 1)
      throw Refused{SHIFTADD_DEVICE_NO_DEVICE, "the host executor is told to have no device"};
    *count = host_device_options().devices;
  });
}

Status describe(int32_t device, shiftadd_device_description* description) {
  return guarded([&] {
    const HostDeviceOptions& options = host_device_options();
    if (device < 0 || device >= options.devices)
      throw Refused{SHIFTADD_DEVICE_NO_DEVICE, "the host executor has no such device"};
    const shiftadd_device_description* known = emulated_device(options.architecture);
    if (!known)
      throw Refused{SHIFTADD_DEVICE_WRONG_ARCHITECTURE,
                    concat("the host executor knows no architecture ", options.architecture)};
    *description = *known;
    description->memory_bytes = options.memory_bytes;
  });
}

Status open(int32_t device, Context** context) {
  return guarded([&] {
    auto made = std::make_unique<Context>();
    made->device = device;
    const Status status = describe(device, &made->description);
    if (status != SHIFTADD_DEVICE_OK) throw Refused{status, last_error};
    HostMachine& all = host_machine();
    const std::lock_guard lock(all.mutex);
    if (++all.contexts == 1) simt::protect_device_heap(true);
    *context = made.release();
  });
}

// What was not waited for is never done.
void close(Context* context) {
  if (!context) return;
  delete context;
  HostMachine& all = host_machine();
  const std::lock_guard lock(all.mutex);
  if (--all.contexts == 0) simt::protect_device_heap(false);
}

void require_usable(const Context& context) {
  if (context.lost)
    throw Refused{SHIFTADD_DEVICE_LOST, "an earlier kernel failed, and the device is lost"};
}

// Whatever a recording forbids spoils it, as on a GPU.
void refuse_while_recording(Context& context, const char* what) {
  require_usable(context);
  if (!context.recording) return;
  if (context.recording_error.empty())
    context.recording_error = concat(what, " while a graph is recorded");
  throw other(context.recording_error);
}

Status allocate(Context* context, uint64_t bytes, void** memory) {
  return guarded([&] {
    refuse_while_recording(*context, "memory was asked for");
    ++context->counters.allocations;
    HostMachine& all = host_machine();
    const std::lock_guard lock(all.mutex);
    const auto wanted = static_cast<std::size_t>(std::max<uint64_t>(bytes, 1));
    const int64_t left = context->description.memory_bytes - all.used(context->device);
    if (left < 0 || wanted > static_cast<uint64_t>(left))
      throw Refused{SHIFTADD_DEVICE_OUT_OF_MEMORY, concat("out of memory: ", left, " bytes left")};
    *memory = simt::device_allocate(wanted);
    if (!*memory) throw std::bad_alloc();
    all.blocks[static_cast<const char*>(*memory)] = {wanted, context->device};
  });
}

// Work that may still use the memory is dropped: it should have been waited for, and where an error
// unwinds the stack, the host memory of its copies is gone too.
void release(Context* context, void* memory) {
  if (!memory) return;
  context->queue.clear();
  HostMachine& all = host_machine();
  const std::lock_guard lock(all.mutex);
  all.blocks.erase(static_cast<const char*>(memory));
  simt::device_release(memory);
}

Status allocate_pinned(Context* context, uint64_t bytes, void** memory) {
  return guarded([&] {
    refuse_while_recording(*context, "memory was asked for");
    ++context->counters.allocations;
    HostMachine& all = host_machine();
    const std::lock_guard lock(all.mutex);
    const auto wanted = static_cast<std::size_t>(std::max<uint64_t>(bytes, 1));
    *memory = ::operator new(wanted);
    all.blocks[static_cast<const char*>(*memory)] = {wanted, HostBlock::kPinned};
  });
}

void release_pinned(Context* context, void* memory) {
  if (!memory) return;
  context->queue.clear();
  HostMachine& all = host_machine();
  const std::lock_guard lock(all.mutex);
  all.blocks.erase(static_cast<const char*>(memory));
  ::operator delete(memory);
}

void add(Context& context, std::function<void()> work) {
  require_usable(context);
  (context.recording ? context.recorded : context.queue).push_back(std::move(work));
}

void require_device_range(const void* memory, uint64_t bytes, const char* what) {
  const HostBlock* block = host_machine().holder(memory, bytes);
  if (!block || block->device == HostBlock::kPinned)
    throw other(what, " of ", bytes, " bytes is not all in one allocation of device memory");
}

void require_host_range(Context& context, const void* memory, uint64_t bytes) {
  const HostBlock* block = host_machine().holder(memory, bytes);
  if (block && block->device != HostBlock::kPinned)
    throw other("a copy has device memory where memory of the host was expected");
  if (!block && context.recording)
    refuse_while_recording(context, "memory that is not pinned was copied");
}

void require_copy(Context& context, const void* device, const void* host, uint64_t bytes) {
  require_usable(context);
  ++context.counters.copies;
  const std::lock_guard lock(host_machine().mutex);
  require_device_range(device, bytes, "a copy");
  require_host_range(context, host, bytes);
}

Status copy_in(Context* context, void* device, const void* host, uint64_t bytes) {
  return guarded([&] {
    require_copy(*context, device, host, bytes);
    add(*context, [=] { simt::copy_to_device(device, host, bytes); });
  });
}

Status copy_out(Context* context, void* host, const void* device, uint64_t bytes) {
  return guarded([&] {
    require_copy(*context, device, host, bytes);
    add(*context, [=] { simt::copy_from_device(host, device, bytes); });
  });
}

Status fill(Context* context, void* device, uint8_t byte, uint64_t bytes) {
  return guarded([&] {
    require_usable(*context);
    {
      const std::lock_guard lock(host_machine().mutex);
      require_device_range(device, bytes, "a fill");
    }
    add(*context, [=] { simt::fill_device(device, byte, bytes); });
  });
}

// The executor holds the limits that all devices share.
void require_shared_memory(const Context& context, const shiftadd_launch_shape& shape) {
  const auto limit = static_cast<uint64_t>(context.description.shared_bytes_per_block);
  if (shape.shared_bytes > limit)
    throw other(shape.shared_bytes, " bytes of dynamic shared memory: a block has at most ", limit);
}

// Faults that the executor found end the device's life, as an illegal address does.
void require_no_reports(Context& context) {
  const std::vector<std::string> reports = simt::take_reports();
  if (reports.empty()) return;
  context.lost = true;
  throw Refused{SHIFTADD_DEVICE_LOST,
                concat(reports.front(),
                       reports.size() > 1 ? concat(" (and ", reports.size() - 1, " more)") : "")};
}

Status launch(Context* context, uint32_t number, const shiftadd_launch_shape* shape,
              const void* args, uint64_t args_bytes) {
  return guarded([&] {
    require_usable(*context);
    if (number >= known_kernels().size()) throw other("there is no kernel ", number);
    const simt::Kernel& kernel = *known_kernels()[number];
    if (args_bytes != kernel.args_bytes)
      throw other(args_bytes, " bytes of arguments: expected ", kernel.args_bytes);
    require_shared_memory(*context, *shape);
    ++context->counters.launches;
    const simt::Shape plain = {
        .grid_x = shape->grid_x,
        .grid_y = shape->grid_y,
        .grid_z = shape->grid_z,
        .block_x = shape->block_x,
        .block_y = shape->block_y,
        .block_z = shape->block_z,
        .shared_bytes = shape->shared_bytes,
        .overlaps = shape->overlaps != 0,
    };
    const auto* bytes = static_cast<const std::byte*>(args);
    add(*context, [&kernel, plain, kept = std::vector(bytes, bytes + args_bytes)] {
      simt::run(kernel, plain, kept.data());
    });
  });
}

Status dense_product(Context* context, const shiftadd_dense_shape* shape, const void* a,
                     const void* b, void* c) {
  return guarded([&] {
    require_usable(*context);
    const std::string missing = missing_dense_product(*shape);
    if (!missing.empty()) throw Refused{SHIFTADD_DEVICE_NOT_AVAILABLE, missing};
    if (!context->known_products.contains(dense_key(*shape))) {
      refuse_while_recording(*context, "the first dense product of a shape was asked for");
      context->known_products.insert(dense_key(*shape));
    }
    {
      const std::lock_guard lock(host_machine().mutex);
      const DenseBytes bytes = dense_bytes(*shape);
      require_device_range(a, bytes.a, "an operand");
      require_device_range(b, bytes.b, "an operand");
      require_device_range(c, bytes.c, "a product");
    }
    ++context->counters.launches;
    add(*context, [=, of = *shape] {
      const simt::DeviceAccess access;
      multiply_dense(of, a, b, c);
    });
  });
}

Status begin_capture(Context* context) {
  return guarded([&] {
    refuse_while_recording(*context, "another recording was begun");
    context->recording = true;
    context->recording_error.clear();
    context->recorded.clear();
  });
}

Status end_capture(Context* context, shiftadd_device_graph** graph) {
  return guarded([&] {
    if (!context->recording) throw other("no graph is recorded");
    context->recording = false;
    Work recorded = std::exchange(context->recorded, {});
    if (!context->recording_error.empty()) throw other(context->recording_error);
    *graph = new shiftadd_device_graph{std::make_shared<const Work>(std::move(recorded))};
  });
}

Status launch_graph(Context* context, shiftadd_device_graph* graph) {
  return guarded([&] {
    refuse_while_recording(*context, "a graph was launched");
    ++context->counters.graph_launches;
    add(*context, [work = graph->work] {
      for (const auto& each : *work) each();
    });
  });
}

void free_graph(Context*, shiftadd_device_graph* graph) { delete graph; }

Status synchronise(Context* context) {
  return guarded([&] {
    refuse_while_recording(*context, "the work was waited for");
    ++context->counters.synchronisations;
    const Work work = std::exchange(context->queue, {});
    if (work.empty()) return;
    const std::lock_guard lock(host_machine().mutex);
    const simt::DeviceAccess open;  // for all of it: each change of who may reach memory takes long
    for (const auto& each : work) {
      each();
      require_no_reports(*context);
    }
  });
}

// Of the emulation, which says nothing of a GPU.
Status time_graph(Context* context, shiftadd_device_graph* graph, uint32_t times, double* seconds) {
  Status status = synchronise(context);
  const auto begin = std::chrono::steady_clock::now();
  for (uint32_t i = 0; i < times && status == SHIFTADD_DEVICE_OK; ++i)
    status = launch_graph(context, graph);
  if (status == SHIFTADD_DEVICE_OK) status = synchronise(context);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (status == SHIFTADD_DEVICE_OK) *seconds = took.count() / times;
  return status;
}

void counters(const Context* context, shiftadd_device_counters* counters) {
  *counters = context->counters;
}

}  // namespace

HostDeviceOptions& host_device_options() {
  static HostDeviceOptions options;
  return options;
}

const shiftadd_device_api& host_device_api() {
  static shiftadd_device_api api = {
      .version = SHIFTADD_DEVICE_API_VERSION,
      .kernels = 0,
      .kernel_name = kernel_name,
      .error_text = error_text,
      .count_devices = count_devices,
      .describe = describe,
      .open = open,
      .close = close,
      .allocate = allocate,
      .release = release,
      .allocate_pinned = allocate_pinned,
      .release_pinned = release_pinned,
      .copy_in = copy_in,
      .copy_out = copy_out,
      .fill = fill,
      .launch = launch,
      .dense_product = dense_product,
      .launch_graph = launch_graph,
      .time_graph = time_graph,
      .begin_capture = begin_capture,
      .end_capture = end_capture,
      .free_graph = free_graph,
      .synchronise = synchronise,
      .counters = counters,
  };
  api.kernels = static_cast<uint32_t>(known_kernels().size());
  return api;
}

}  // namespace shiftadd::cuda
