// What the launches of a plan move and compute, and the least time that devices known by their data
// sheets would take for it: computed from the plan alone, without a device.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/enum_names.h"
#include "cuda/launches.h"
#include "model/plan.h"

namespace shiftadd::cuda {

/// What one launch moves and computes. A term is a multiplication with an addition. Work is shared
/// between experts as the shares say; blocks that find no row to do are none.
struct LaunchWork {
  /// Weights as they lie in the device's memory, with scales, biases, norms and tables; a bias is
  /// counted for every layer.
  double weight_bytes = 0;
  /// Images read and logits written; other rows read and written, each once.
  double outer_bytes = 0, read_bytes = 0, written_bytes = 0;
  /// Terms of products: those of the sums, and all that the tensor cores do, whose tiles are whole.
  double int8_terms = 0, int8_tiles = 0, bf16_terms = 0, bf16_tiles = 0, float_terms = 0;
  /// Instructions of a thread: float32 multiplications, additions and FMAs of everything; integer
  /// additions, comparisons, logic and permutations where there are many to a number. A population
  /// count, at a quarter of their rate, is four. Conversions, addresses and loads are not counted.
  double float_ops = 0, integer_ops = 0;
  double blocks = 0;

  double activation_bytes() const { return outer_bytes + read_bytes + written_bytes; }
  LaunchWork& operator+=(const LaunchWork& more);
};

/// shift_shares: of the tokens at each of routers_of.
LaunchWork launch_work(const Plan& plan, const Launches& launches, const Launch& launch,
                       int64_t images, const Limits& limits,
                       const std::vector<double>& shift_shares);

/// A device by its data sheet.
struct DeviceModel {
  const char* name;
  const char* title;
  Limits limits;
  double int8_terms, bf16_terms;  // a second, dense, by mma.sync
  double float_ops, integer_ops;  // a second
  double bytes;                   // a second, of the memory
  int64_t l2_bytes;
  /// From the end of a kernel's work to the beginning of the next one's in a graph, seconds; and
  /// where the next one is launched before (programmatic dependent launch).
  double gap, overlapped_gap;
};
std::span<const DeviceModel> device_models();
/// Throws Error (user) that names those known.
const DeviceModel& device_model(const std::string& name);

/// What a launch takes time for.
enum class Resource : uint8_t { kLaunch, kMemory, kInt8, kBf16, kFloat, kInteger };
inline constexpr std::size_t kResources = 6;

}  // namespace shiftadd::cuda
namespace shiftadd {
template <>
inline constexpr std::array kEnumNames<cuda::Resource> = {"launch", "memory", "int8",
                                                          "bf16",   "float",  "integer"};
}  // namespace shiftadd
namespace shiftadd::cuda {

/// Seconds of one launch or of several: of each resource by itself, and in all, where each launch
/// takes as long as the resource that it needs longest, and the gap before it.
struct LaunchTimes {
  std::array<double, kResources> of = {};
  double total = 0;

  double operator[](Resource resource) const { return of[static_cast<std::size_t>(resource)]; }
  /// Of which there is most.
  Resource bound() const;
  LaunchTimes& operator+=(const LaunchTimes& more);
};
/// `memory_bytes`: those that come from and go to the device's memory. Blocks are as equal as they
/// can be, and the time is that of the multiprocessor which has most of them.
LaunchTimes launch_times(const DeviceModel& device, const LaunchWork& work, double memory_bytes,
                         bool overlaps);

/// Launches of one name that are the same kernel.
struct LaunchesOfKind {
  std::string name = {};
  KernelNumber kernel = {};
  int64_t launches = 0;
  LaunchWork work = {};
  /// in_l2: weights come from the memory once, and what lies between launches stays in L2;
  /// from_memory: each launch reads and writes all that it needs there.
  LaunchTimes in_l2 = {}, from_memory = {};
};

struct Prediction {
  int64_t batch = 0, parts = 0;  // as the engine divides it
  /// Bytes of the arena of the largest part and of the weights, and whether L2 has room for them.
  double arena_bytes = 0, weight_bytes = 0;
  bool fits_l2 = false;
  std::vector<LaunchesOfKind> kinds;  // in the order of their first launches
  LaunchesOfKind all;                 // of no kernel

  /// Of the sum that the L2 has room for.
  double seconds() const { return fits_l2 ? all.in_l2.total : all.from_memory.total; }
};
/// The parts of a batch one after the other, from images in the device's memory to logits there.
/// Throws Error (failure) as launches_of does.
Prediction predict(const Plan& plan, const DeviceModel& device, int64_t batch,
                   const std::vector<double>& shift_shares);

}  // namespace shiftadd::cuda
