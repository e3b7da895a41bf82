// Launches: their limits, the order of their blocks, what is counted and reported.
#include "cuda/simt/executor.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <random>

#include "core/error.h"
#include "cuda/simt/block.h"
#include "cuda/simt/device_heap.h"
#include "cuda/simt/observer.h"
#include "cuda/simt/reports.h"

namespace shiftadd::simt {
namespace {

constexpr std::size_t kMostReports = 100;
constexpr unsigned kMostGridX = 0x7fffffff, kMostGridYz = 65535;

std::mutex reports_mutex;
std::vector<std::string> reports;
std::atomic<bool> is_running = false;
std::atomic<uint64_t> launch_count = 0;

// Another launch may follow, however this one is left.
struct Ended {
  ~Ended() { is_running = false; }
};

// What a launch breaks of CUDA's limits and of ours, or "".
std::string broken_limit(const Kernel& kernel, const Shape& shape) {
  const uint64_t threads = uint64_t{shape.block_x} * shape.block_y * shape.block_z;
  if (!kernel.host) return "is no kernel of the host executor";
  if (threads == 0 || threads > 1024 || threads % 32 || shape.block_z > 64)
    return concat("has blocks of ", shape.block_x, " x ", shape.block_y, " x ", shape.block_z,
                  " threads; expected a multiple of 32, at most 1024, at most 64 in z");
  if (shape.grid_x == 0 || shape.grid_y == 0 || shape.grid_z == 0 || shape.grid_x > kMostGridX ||
      shape.grid_y > kMostGridYz || shape.grid_z > kMostGridYz)
    return concat("has a grid of ", shape.grid_x, " x ", shape.grid_y, " x ", shape.grid_z,
                  " blocks; expected at least 1, at most ", kMostGridX, " in x and ", kMostGridYz,
                  " in y and z");
  if (shape.shared_bytes > SharedMemory::kMostBytes)
    return concat("asks for ", shape.shared_bytes, " bytes of shared memory; at most ",
                  SharedMemory::kMostBytes, " are there");
  return "";
}

std::vector<uint64_t> block_order(uint64_t count) {
  std::vector<uint64_t> order(count);
  std::iota(order.begin(), order.end(), uint64_t{0});
  if (options().order == Order::kReverse) std::reverse(order.begin(), order.end());
  if (options().order == Order::kRandom)
    std::shuffle(order.begin(), order.end(), std::mt19937_64(options().seed));
  return order;
}

void run_blocks(const Kernel& kernel, const Shape& shape, const void* args) {
  DeviceAccess open;
  if (interpreter) return interpreter(kernel, shape, args);
  if (observer) observer->begin_launch(kernel, shape, args);
  block().begin_launch(kernel, shape, args);
  const uint64_t row = shape.grid_x, plane = row * shape.grid_y;
  for (uint64_t i : block_order(plane * shape.grid_z)) {
    const uint3 index = {static_cast<unsigned>(i % row), static_cast<unsigned>(i % plane / row),
                         static_cast<unsigned>(i / plane)};
    if (!block().run(index)) return;
  }
  if (shape.overlaps && !block().has_waited())
    report(concat("[", kernel.name, "] never calls wait_for_predecessor(), which a launch that ",
                  "overlaps must: the launch after it could not rely on the one before it"));
}

}  // namespace

Options& options() {
  static Options only;
  return only;
}

void report(const std::string& fault) {
  std::lock_guard lock(reports_mutex);
  if (reports.size() < kMostReports) reports.push_back(fault);
}

std::vector<std::string> take_reports() {
  std::lock_guard lock(reports_mutex);
  return std::exchange(reports, {});
}

uint64_t launches() { return launch_count; }

void run(const Kernel& kernel, const Shape& shape, const void* args) {
  if (is_running.exchange(true)) {
    report(concat("[", kernel.name, "] was launched while another kernel runs: the host executor",
                  " runs one at a time"));
    return;
  }
  const Ended at_end;
  ++launch_count;
  const std::string broken = broken_limit(kernel, shape);
  if (broken.empty())
    run_blocks(kernel, shape, args);
  else
    report(concat("[", kernel.name, "] ", broken));
}

}  // namespace shiftadd::simt
