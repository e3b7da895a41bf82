// Calls the table of a device and turns its statuses into errors.
#include "cuda/device.h"

#include <utility>

#include "core/error.h"
#include "cuda/simt/kernel.h"

namespace shiftadd::cuda {

struct Device::Context {
  const shiftadd_device_api& api;
  int number;
  shiftadd_device_description description = {};
  shiftadd_device_context* raw = nullptr;

  Context(const shiftadd_device_api& api, int number);
  ~Context() { api.close(raw); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // "cuda:0 (NVIDIA A100)", or as much of it as is known.
  std::string name() const {
    const std::string place = concat("cuda:", number);
    return description.name[0] ? concat(place, " (", description.name, ")") : place;
  }

  /// Throws Error (failure) for every status but SHIFTADD_DEVICE_OK.
  void check(shiftadd_device_status status, const std::string& what) const {
    if (status == SHIFTADD_DEVICE_OK) return;
    throw failure(name(), ": ", what, ": ", api.error_text(), advice(status));
  }

  static const char* advice(shiftadd_device_status status) {
    switch (status) {
      case SHIFTADD_DEVICE_OUT_OF_MEMORY:
        return "; use a smaller batch, free the device of other programs' memory, or compute on "
               "the CPU";
      case SHIFTADD_DEVICE_LOST:
        return "; nothing more can be computed there: start the program again, or compute on the "
               "CPU";
      default:
        return "; compute on the CPU";
    }
  }
};

Device::Context::Context(const shiftadd_device_api& api, int number) : api(api), number(number) {
  int32_t count = 0;
  check(api.count_devices(&count), "not usable");
  if (number < 0 || number >= count)
    throw failure(
        "cuda:", number, ": no such device: expected ",
        count == 1 ? std::string("cuda:0, the only one") : concat("cuda:0 to cuda:", count - 1));
  check(api.describe(number, &description), "cannot be asked what it is");
  check(api.open(number, &raw), "cannot be opened");
}

Device::Memory::Memory(std::shared_ptr<Context> context, void* memory, std::size_t bytes,
                       Release release)
    : context_(std::move(context)), memory_(memory), bytes_(bytes), release_(release) {}

Device::Memory::Memory(Memory&& other) noexcept
    : context_(std::move(other.context_)),
      memory_(std::exchange(other.memory_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      release_(other.release_) {}

Device::Memory& Device::Memory::operator=(Memory&& other) noexcept {
  Memory taken(std::move(other));
  std::swap(context_, taken.context_);
  std::swap(memory_, taken.memory_);
  std::swap(bytes_, taken.bytes_);
  std::swap(release_, taken.release_);
  return *this;
}

Device::Memory::~Memory() {
  if (memory_) release_(context_->raw, memory_);
}

Device::Graph::Graph(std::shared_ptr<Context> context, shiftadd_device_graph* graph)
    : context_(std::move(context)), graph_(graph) {}

Device::Graph::Graph(Graph&& other) noexcept
    : context_(std::move(other.context_)), graph_(std::exchange(other.graph_, nullptr)) {}

Device::Graph& Device::Graph::operator=(Graph&& other) noexcept {
  Graph taken(std::move(other));
  std::swap(context_, taken.context_);
  std::swap(graph_, taken.graph_);
  return *this;
}

Device::Graph::~Graph() {
  if (graph_) context_->api.free_graph(context_->raw, graph_);
}

Device::Device(const shiftadd_device_api& api, int number)
    : context_(std::make_shared<Context>(api, number)) {}

Device Device::share() const { return Device(context_->api, context_->number); }

const shiftadd_device_description& Device::description() const { return context_->description; }

Device::Memory Device::allocate(std::size_t bytes) {
  const shiftadd_device_api& api = context_->api;
  void* memory = nullptr;
  context_->check(api.allocate(context_->raw, bytes, &memory),
                  concat("no ", bytes, " bytes of its memory"));
  return Memory(context_, memory, bytes, api.release);
}

Device::Memory Device::allocate_pinned(std::size_t bytes) {
  const shiftadd_device_api& api = context_->api;
  void* memory = nullptr;
  context_->check(api.allocate_pinned(context_->raw, bytes, &memory),
                  concat("no ", bytes, " bytes of pinned memory"));
  return Memory(context_, memory, bytes, api.release_pinned);
}

void Device::copy_in(void* device, const void* host, std::size_t bytes) {
  context_->check(context_->api.copy_in(context_->raw, device, host, bytes), "copying to it");
}

void Device::copy_out(void* host, const void* device, std::size_t bytes) {
  context_->check(context_->api.copy_out(context_->raw, host, device, bytes), "copying from it");
}

void Device::fill(void* device, uint8_t byte, std::size_t bytes) {
  context_->check(context_->api.fill(context_->raw, device, byte, bytes), "filling its memory");
}

void Device::launch(uint32_t kernel, const simt::Shape& shape, const void* args,
                    std::size_t args_bytes) {
  const shiftadd_device_api& api = context_->api;
  const shiftadd_launch_shape plain = {
      .grid_x = shape.grid_x,
      .grid_y = shape.grid_y,
      .grid_z = shape.grid_z,
      .block_x = shape.block_x,
      .block_y = shape.block_y,
      .block_z = shape.block_z,
      .shared_bytes = shape.shared_bytes,
      .overlaps = shape.overlaps,
  };
  const shiftadd_device_status status = api.launch(context_->raw, kernel, &plain, args, args_bytes);
  if (status == SHIFTADD_DEVICE_OK) return;
  const char* name = api.kernel_name(kernel);
  context_->check(status, concat("the kernel ", name ? name : concat(kernel).c_str()));
}

std::string Device::dense_product(const shiftadd_dense_shape& shape, const void* a, const void* b,
                                  void* c) {
  const shiftadd_device_api& api = context_->api;
  const shiftadd_device_status status = api.dense_product(context_->raw, &shape, a, b, c);
  if (status == SHIFTADD_DEVICE_NOT_AVAILABLE) return api.error_text();
  context_->check(status, "a dense product");
  return "";
}

Device::Graph Device::capture(const std::function<void()>& record) {
  const shiftadd_device_api& api = context_->api;
  context_->check(api.begin_capture(context_->raw), "recording a graph");
  shiftadd_device_graph* graph = nullptr;
  try {
    record();
  } catch (...) {
    // What was recorded goes, and the context is as before; the error is the one of `record`.
    if (api.end_capture(context_->raw, &graph) == SHIFTADD_DEVICE_OK)
      api.free_graph(context_->raw, graph);
    throw;
  }
  context_->check(api.end_capture(context_->raw, &graph), "recording a graph");
  return Graph(context_, graph);
}

void Device::launch(const Graph& graph) {
  context_->check(context_->api.launch_graph(context_->raw, graph.graph_), "a recorded graph");
}

double Device::time(const Graph& graph, uint32_t times) {
  double seconds = 0;
  context_->check(context_->api.time_graph(context_->raw, graph.graph_, times, &seconds),
                  "a recorded graph");
  return seconds;
}

void Device::synchronise() {
  context_->check(context_->api.synchronise(context_->raw), "computing");
}

shiftadd_device_counters Device::counters() const {
  shiftadd_device_counters counters;
  context_->api.counters(context_->raw, &counters);
  return counters;
}

}  // namespace shiftadd::cuda
