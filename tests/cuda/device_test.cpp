// The device layer on the host executor: order, waiting, graphs, limits, and what each error says.
#include "cuda/device.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/error.h"
#include "cuda/host_device.h"
#include "cuda/simt/device_heap.h"
#include "cuda/simt/simt.h"
#include "tests/cuda/executor.h"

using namespace shiftadd;
using test::contains;

namespace {

struct AddArgs {
  int32_t* numbers;
  int32_t count, step;
};

// numbers[i] += step * i; a block of 32 threads does 32 of them.
__global__ void add_steps(const AddArgs args) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < args.count) args.numbers[i] += args.step * i;
}
SIMT_KERNEL(add_steps, AddArgs);

// Lanes 0 to 15 wait for a partner that never comes.
__global__ void wait_in_vain(const AddArgs args) {
  if (threadIdx.x < 16) args.numbers[threadIdx.x] = __shfl_sync(~0u, 1, 0);
}
SIMT_KERNEL(wait_in_vain, AddArgs);

constexpr cuda::KernelOf<AddArgs> kAddSteps{0}, kWaitInVain{1};

// cuda::Device options for one test, with the kernels of this file.
class HostDevice {
 public:
  HostDevice() {
    static const simt::Kernel* const kernels[] = {&add_steps_kernel(), &wait_in_vain_kernel()};
    options().kernels = kernels;
  }
  static cuda::HostDeviceOptions& options() { return cuda::host_device_options(); }
  cuda::Device open(int number = 0) const { return cuda::Device(cuda::host_device_api(), number); }

 private:
  test::HostOptions kept_;
};

simt::Shape shape_for(int64_t count) {
  return {.grid_x = static_cast<unsigned>((count + 31) / 32), .block_x = 32};
}

std::vector<int32_t> counted(int64_t count, int32_t step) {
  std::vector<int32_t> numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int32_t>(i) * step;
  return numbers;
}

template <class Body>
std::string failure_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.exit_code() == 1);
    CHECK_FALSE(contains(error.what(), "\n"));
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("device: copies, fills and kernels happen in order, at odd sizes") {
  const HostDevice host;
  cuda::Device device = host.open();
  for (const int count : {1, 3, 31, 33, 197}) {
    CAPTURE(count);
    const std::vector<int32_t> start = counted(count, 5);
    std::vector<int32_t> out(start.size());
    const cuda::Device::Memory memory = device.allocate(start.size() * sizeof(int32_t));
    CHECK(reinterpret_cast<uintptr_t>(memory.get()) % 256 == 0);
    device.fill(memory.get(), 0xff, memory.bytes());
    device.copy_in(memory.get(), start.data(), memory.bytes());
    const AddArgs args = {memory.as<int32_t>(), count, 2};
    device.launch(kAddSteps, shape_for(count), args);
    device.launch(kAddSteps, shape_for(count), args);
    device.copy_out(out.data(), memory.get(), memory.bytes());
    device.synchronise();
    CHECK(out == counted(count, 9));
  }
}

TEST_CASE("device: nothing is done until it is waited for") {
  const HostDevice host;
  cuda::Device device = host.open();
  const cuda::Device::Memory memory = device.allocate(40);
  std::vector<int32_t> out(10, -7);
  device.fill(memory.get(), 0, 40);
  device.copy_out(out.data(), memory.get(), 40);
  CHECK(out == std::vector<int32_t>(10, -7));
  device.synchronise();
  CHECK(out == std::vector<int32_t>(10, 0));
}

TEST_CASE(
    "device: a recorded graph does nothing by itself, and the same each time it is launched") {
  const HostDevice host;
  cuda::Device device = host.open();
  const int count = 33;
  const std::size_t bytes = count * sizeof(int32_t);
  const cuda::Device::Memory memory = device.allocate(bytes);
  const cuda::Device::Memory in = device.allocate_pinned(bytes),
                             out = device.allocate_pinned(bytes);
  const cuda::Device::Graph graph = device.capture([&] {
    device.copy_in(memory.get(), in.get(), bytes);
    device.launch(kAddSteps, shape_for(count), AddArgs{memory.as<int32_t>(), count, 1});
    device.copy_out(out.get(), memory.get(), bytes);
  });
  CHECK(static_cast<bool>(graph));
  const auto answer = [&] {
    return std::vector<int32_t>(out.as<int32_t>(), out.as<int32_t>() + count);
  };
  std::fill_n(out.as<int32_t>(), count, -7);
  device.synchronise();
  CHECK(answer() == std::vector<int32_t>(count, -7));
  for (const int step : {3, 4, 10}) {
    const std::vector<int32_t> start = counted(count, step);
    std::copy(start.begin(), start.end(), in.as<int32_t>());
    device.launch(graph);
    device.synchronise();
    CHECK(answer() == counted(count, step + 1));
  }
  const shiftadd_device_counters counters = device.counters();
  CHECK(counters.launches == 1);
  CHECK(counters.graph_launches == 3);
  CHECK(counters.allocations == 3);
  CHECK(counters.copies == 2);
  CHECK(counters.synchronisations == 4);
}

TEST_CASE("device: what a recording cannot hold ends it with an error; the next one is clean") {
  const HostDevice host;
  cuda::Device device = host.open();
  const cuda::Device::Memory memory = device.allocate(4);
  int32_t number = 0;
  CHECK(failure_of([&] { device.capture([&] { device.allocate(4); }); }) ==
        "cuda:0 (host executor as A100): no 4 bytes of its memory: memory was asked for while a "
        "graph is recorded; compute on the CPU");
  CHECK(contains(failure_of([&] { device.capture([&] { device.synchronise(); }); }),
                 "the work was waited for while a graph is recorded"));
  CHECK(contains(
      failure_of([&] { device.capture([&] { device.copy_in(memory.get(), &number, 4); }); }),
      "memory that is not pinned was copied while a graph is recorded"));
  CHECK_THROWS_AS(device.capture([] { throw std::runtime_error("of the caller"); }),
                  std::runtime_error);
  const cuda::Device::Graph graph = device.capture([&] { device.fill(memory.get(), 1, 4); });
  device.launch(graph);
  device.copy_out(&number, memory.get(), 4);
  device.synchronise();
  CHECK(number == 0x01010101);
}

TEST_CASE("device: memory is released with its owner, also where it moved") {
  const HostDevice host;
  const std::size_t before = simt::device_bytes_in_use();
  {
    cuda::Device device = host.open();
    cuda::Device::Memory a = device.allocate(100), b = device.allocate(50);
    CHECK(simt::device_bytes_in_use() == before + 150);
    b = std::move(a);
    CHECK(b.bytes() == 100);
    CHECK(a.get() == nullptr);
    CHECK(simt::device_bytes_in_use() == before + 100);
    cuda::Device::Graph graph = device.capture([] {});
    cuda::Device::Graph other = std::move(graph);
    CHECK_FALSE(static_cast<bool>(graph));
  }
  CHECK(simt::device_bytes_in_use() == before);
}

TEST_CASE("device: memory outlives the handle of its device, and serves another stream") {
  const HostDevice host;
  cuda::Device::Memory memory;
  cuda::Device second = host.open();
  {
    cuda::Device first = host.open();
    second = first.share();
    memory = first.allocate(4);
    first.fill(memory.get(), 2, 4);
    first.synchronise();
  }
  int32_t number = 0;
  second.copy_out(&number, memory.get(), 4);
  second.synchronise();
  CHECK(number == 0x02020202);
}

TEST_CASE("device: no device, and none of that number") {
  const HostDevice host;
  CHECK(failure_of([&] { host.open(1); }) ==
        "cuda:1: no such device: expected cuda:0, the only one");
  HostDevice::options().devices = 3;
  CHECK(failure_of([&] { host.open(3); }) == "cuda:3: no such device: expected cuda:0 to cuda:2");
  CHECK(host.open(2).description().architecture == 80);
  HostDevice::options().devices = 0;
  CHECK(failure_of([&] { host.open(); }) ==
        "cuda:0: not usable: the host executor is told to have no device; compute on the CPU");
}

TEST_CASE("device: memory that runs out is an error that says how to need less") {
  const HostDevice host;
  HostDevice::options().memory_bytes = 1000;
  cuda::Device device = host.open();
  cuda::Device::Memory most = device.allocate(900);
  CHECK(failure_of([&] { device.allocate(101); }) ==
        "cuda:0 (host executor as A100): no 101 bytes of its memory: out of memory: 100 bytes "
        "left; use a smaller batch, free the device of other programs' memory, or compute on the "
        "CPU");
  most = {};
  CHECK(device.allocate(1000).bytes() == 1000);
}

TEST_CASE("device: each architecture has its own shared memory") {
  const HostDevice host;
  for (const auto& [architecture, kibibytes] :
       {std::pair{80, 163}, {86, 99}, {89, 99}, {90, 227}, {100, 227}, {120, 99}}) {
    CAPTURE(architecture);
    HostDevice::options().architecture = architecture;
    cuda::Device device = host.open();
    CHECK(device.description().shared_bytes_per_block == kibibytes * 1024);
    const cuda::Device::Memory memory = device.allocate(4);
    const AddArgs args = {memory.as<int32_t>(), 1, 1};
    simt::Shape shape = shape_for(1);
    shape.shared_bytes = static_cast<std::size_t>(kibibytes) * 1024;
    device.launch(kAddSteps, shape, args);
    device.synchronise();
    ++shape.shared_bytes;
    CHECK(contains(failure_of([&] { device.launch(kAddSteps, shape, args); }),
                   "the kernel add_steps: " + std::to_string(shape.shared_bytes) +
                       " bytes of dynamic shared memory: a block has at most " +
                       std::to_string(kibibytes * 1024)));
  }
}

TEST_CASE("device: launches and copies that do not fit are refused") {
  const HostDevice host;
  cuda::Device device = host.open();
  const cuda::Device::Memory memory = device.allocate(40);
  int32_t numbers[11] = {};
  CHECK(contains(failure_of([&] { device.copy_in(memory.get(), numbers, 44); }),
                 "a copy of 44 bytes is not all in one allocation of device memory"));
  CHECK(contains(failure_of([&] { device.copy_in(numbers, numbers, 4); }),
                 "is not all in one allocation"));
  CHECK(contains(failure_of([&] { device.copy_out(memory.get(), memory.get(), 4); }),
                 "device memory where memory of the host was expected"));
  CHECK(contains(failure_of([&] { device.fill(memory.as<char>() + 39, 0, 2); }), "a fill of 2"));
  CHECK(contains(failure_of([&] { device.launch(0, shape_for(1), numbers, 4); }),
                 "the kernel add_steps: 4 bytes of arguments: expected 16"));
  CHECK(contains(failure_of([&] { device.launch(9, shape_for(1), numbers, 4); }),
                 "the kernel 9: there is no kernel 9"));
}

TEST_CASE("device: a kernel that fails loses the device, and says which and where") {
  const HostDevice host;
  cuda::Device device = host.open();
  const cuda::Device::Memory memory = device.allocate(128);
  device.launch(kWaitInVain, shape_for(1), AddArgs{memory.as<int32_t>(), 1, 1});
  const std::string text = failure_of([&] { device.synchronise(); });
  CHECK_MESSAGE(contains(text, "wait_in_vain"), text);
  CHECK_MESSAGE(contains(text, "device_test.cpp"), text);
  CHECK_MESSAGE(contains(text, "start the program again"), text);
  CHECK(contains(failure_of([&] { device.fill(memory.get(), 0, 4); }), "the device is lost"));
  CHECK(contains(failure_of([&] { device.synchronise(); }), "the device is lost"));
}
