// Devices as their data sheets have them, and how long launches take them at least.
#include "cuda/predict.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "cuda/bind.h"
#include "cuda/engine.h"

namespace shiftadd::cuda {
namespace {

constexpr int64_t kKiB = 1024, kMiB = 1024 * kKiB;
constexpr double kTera = 1e12, kGiga = 1e9, kMicro = 1e-6;
// On Hopper mma.sync reaches this part of what wgmma does (Luo et al. 2024, arXiv 2402.13499).
constexpr double kMmaOnHopper = 0.629;
// Integer instructions a clock of a multiprocessor (CUDA programming guide, throughput of
// arithmetic instructions, compute capabilities 8.0 to 9.0).
constexpr double kIntegers = 64;

// Terms and FMAs are two of the operations that data sheets count. Shared memory a block: CUDA
// programming guide, technical specifications. Gaps: a graph leaves 1.3 us between kernels on an
// H100 (Spector et al. 2025, "Look Ma, No Bubbles!"), to which the first and the last wave of a
// kernel add 2 us where they do not overlap, 0.9 us where they do: an estimate.
constexpr DeviceModel kDevices[] = {
    // NVIDIA A100 Tensor Core GPU data sheet (80 GB SXM), dense figures; architecture white paper:
    // 108 multiprocessors, 1.41 GHz, 40 MB of L2. No programmatic launch before 9.0.
    {.name = "a100",
     .title = "NVIDIA A100 SXM 80 GB",
     .limits = {163 * kKiB, 108},
     .int8_terms = 624 * kTera / 2,
     .bf16_terms = 312 * kTera / 2,
     .float_ops = 19.5 * kTera / 2,
     .integer_ops = 108 * kIntegers * 1.41 * kGiga,
     .bytes = 2039 * kGiga,
     .l2_bytes = 40 * kMiB,
     .gap = 3.3 * kMicro,
     .overlapped_gap = 3.3 * kMicro},
    // NVIDIA H100 data sheet (SXM), half of its sparse figures; architecture white paper: 132
    // multiprocessors, 50 MB of L2; 66.9 TFLOPS of float32 are 1.98 GHz.
    {.name = "h100",
     .title = "NVIDIA H100 SXM 80 GB",
     .limits = {227 * kKiB, 132},
     .int8_terms = kMmaOnHopper * 1979 * kTera / 2,
     .bf16_terms = kMmaOnHopper * 989.4 * kTera / 2,
     .float_ops = 66.9 * kTera / 2,
     .integer_ops = 132 * kIntegers * 1.98 * kGiga,
     .bytes = 3350 * kGiga,
     .l2_bytes = 50 * kMiB,
     .gap = 3.3 * kMicro,
     .overlapped_gap = 2.2 * kMicro},
    // NVIDIA Ada GPU architecture white paper, appendix A: dense, bf16 with float32 sums; 128
    // multiprocessors, 2.52 GHz, 72 MB of L2.
    {.name = "4090",
     .title = "NVIDIA GeForce RTX 4090",
     .limits = {99 * kKiB, 128},
     .int8_terms = 660.6 * kTera / 2,
     .bf16_terms = 165.2 * kTera / 2,
     .float_ops = 82.6 * kTera / 2,
     .integer_ops = 128 * kIntegers * 2.52 * kGiga,
     .bytes = 1008 * kGiga,
     .l2_bytes = 72 * kMiB,
     .gap = 3.3 * kMicro,
     .overlapped_gap = 3.3 * kMicro},
    // NVIDIA Jetson AGX Orin Series technical brief (64 GB, 60 W): 170 sparse TOPS of int8 on the
    // GPU, 5.3 TFLOPS of float32, 16 multiprocessors, 1.3 GHz, 4 MB of L2, 204.8 GB/s. Its slower
    // clock makes gaps longer: an estimate.
    {.name = "orin",
     .title = "NVIDIA Jetson AGX Orin 64 GB",
     .limits = {163 * kKiB, 16},
     .int8_terms = 85 * kTera / 2,
     .bf16_terms = 42.5 * kTera / 2,
     .float_ops = 5.3 * kTera / 2,
     .integer_ops = 16 * kIntegers * 1.3 * kGiga,
     .bytes = 204.8 * kGiga,
     .l2_bytes = 4 * kMiB,
     .gap = 6 * kMicro,
     .overlapped_gap = 6 * kMicro}};

// Images of the engine's parts of a batch: surplus ones are computed in vain.
std::vector<int64_t> parts_of(int64_t batch) {
  std::vector<int64_t> parts;
  for (int64_t left = batch; left > 0; left -= CudaEngine::kMostImages) {
    const auto whole = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(left)));
    parts.push_back(std::min(whole, CudaEngine::kMostImages));
  }
  return parts;
}

LaunchesOfKind& kind_of(std::vector<LaunchesOfKind>& kinds, const std::string& name,
                        KernelNumber kernel) {
  for (LaunchesOfKind& kind : kinds)
    if (kind.name == name && kind.kernel == kernel) return kind;
  kinds.push_back({.name = name, .kernel = kernel});
  return kinds.back();
}

}  // namespace

LaunchWork& LaunchWork::operator+=(const LaunchWork& more) {
  for (double LaunchWork::*each :
       {&LaunchWork::weight_bytes, &LaunchWork::outer_bytes, &LaunchWork::read_bytes,
        &LaunchWork::written_bytes, &LaunchWork::int8_terms, &LaunchWork::int8_tiles,
        &LaunchWork::bf16_terms, &LaunchWork::bf16_tiles, &LaunchWork::float_terms,
        &LaunchWork::float_ops, &LaunchWork::integer_ops, &LaunchWork::blocks})
    this->*each += more.*each;
  return *this;
}

Resource LaunchTimes::bound() const {
  return static_cast<Resource>(std::max_element(of.begin(), of.end()) - of.begin());
}
LaunchTimes& LaunchTimes::operator+=(const LaunchTimes& more) {
  for (std::size_t i = 0; i < of.size(); ++i) of[i] += more.of[i];
  total += more.total;
  return *this;
}

std::span<const DeviceModel> device_models() { return kDevices; }

const DeviceModel& device_model(const std::string& name) {
  std::vector<std::string> names;
  for (const DeviceModel& device : kDevices) names.emplace_back(device.name);
  return kDevices[index_of_name(name, names, "--predict")];
}

LaunchTimes launch_times(const DeviceModel& device, const LaunchWork& work, double memory_bytes,
                         bool overlaps) {
  const double processors = device.limits.processors;
  const double busiest =
      work.blocks > 0 ? std::ceil(work.blocks / processors) * processors / work.blocks : 1;
  LaunchTimes times;
  times.of = {overlaps ? device.overlapped_gap : device.gap,
              memory_bytes / device.bytes,
              busiest * work.int8_tiles / device.int8_terms,
              busiest * work.bf16_tiles / device.bf16_terms,
              busiest * work.float_ops / device.float_ops,
              busiest * work.integer_ops / device.integer_ops};
  times.total = times.of[0] + *std::max_element(times.of.begin() + 1, times.of.end());
  return times;
}

Prediction predict(const Plan& plan, const DeviceModel& device, int64_t batch,
                   const std::vector<double>& shift_shares) {
  const Launches launches = launches_of(plan, device.limits);
  const std::vector<int64_t> parts = parts_of(batch);
  Prediction made;
  made.batch = batch;
  made.parts = static_cast<int64_t>(parts.size());
  bool first = true;  // part: its launches get the weights
  for (const int64_t images : parts) {
    for (const Launch& launch : launches.list) {
      const LaunchWork work =
          launch_work(plan, launches, launch, images, device.limits, shift_shares);
      const LaunchShape is = shape_of(plan, launches, launch, images, device.limits);
      const double weights = first ? work.weight_bytes : 0;
      const LaunchTimes in_l2 =
          launch_times(device, work, weights + work.outer_bytes, is.shape.overlaps);
      const LaunchTimes from_memory = launch_times(
          device, work, work.weight_bytes + work.activation_bytes(), is.shape.overlaps);
      for (LaunchesOfKind* sum : {&kind_of(made.kinds, launch.name, is.kernel), &made.all}) {
        ++sum->launches;
        sum->work += work;
        sum->in_l2 += in_l2;
        sum->from_memory += from_memory;
      }
      made.weight_bytes += weights;
    }
    first = false;
  }
  made.arena_bytes = 4 * static_cast<double>(ArenaLayout(launches, parts.front()).size);
  made.fits_l2 = made.arena_bytes + made.weight_bytes <= static_cast<double>(device.l2_bytes);
  return made;
}

}  // namespace shiftadd::cuda
