// See gpu_operands.h.
#include "tools/bench/gpu_operands.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/random.h"
#include "cuda/fragments.h"

namespace shiftadd::tools {
namespace {

using namespace cuda;

// Numbers that are drawn once; memory is filled with as many copies as it holds.
constexpr int64_t kDrawn = 1 << 20;
constexpr int64_t kMostSets = 512;
// Memory is asked for in large pieces: to ask takes longer than to launch.
constexpr int64_t kBlock = 16 << 20, kAlignment = 256;

template <class T, class Draw>
std::vector<T> drawn(uint64_t stream, Draw draw) {
  const RandomStream random(23, stream);
  std::vector<T> numbers(kDrawn);
  for (int64_t i = 0; i < kDrawn; ++i) numbers[static_cast<std::size_t>(i)] = draw(random, i);
  return numbers;
}
float draw_float(const RandomStream& random, int64_t i) { return 2 * random.uniform(i) - 1; }

int64_t sets_for(const shiftadd_device_description& device, int64_t bytes) {
  if (device.emulated) return 2;
  return std::clamp<int64_t>(2 * device.l2_bytes / bytes + 1, 2, kMostSets);
}

}  // namespace

void* GpuOperands::unset(int64_t bytes) {
  const int64_t taken = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  size_ += taken;
  if (taken > left_) {
    left_ = std::max(taken, kBlock);
    memory_.push_back(device_.allocate(static_cast<std::size_t>(left_)));
    next_ = memory_.back().as<char>();
  }
  left_ -= taken;
  return std::exchange(next_, next_ + taken);
}

template <class T>
T* GpuOperands::filled(const std::vector<T>& block, int64_t count) {
  auto* memory = static_cast<T*>(unset(count * static_cast<int64_t>(sizeof(T))));
  for (int64_t first = 0; first < count; first += kDrawn)
    device_.copy_in(memory + first, block.data(),
                    static_cast<std::size_t>(std::min(kDrawn, count - first)) * sizeof(T));
  return memory;
}

int8_t* GpuOperands::bytes(int64_t count) {
  static const auto block = drawn<int8_t>(
      0, [](const auto& random, int64_t i) { return static_cast<int8_t>(random.bits(i)); });
  return filled(block, count);
}
float* GpuOperands::floats(int64_t count) {
  static const auto block = drawn<float>(1, draw_float);
  return filled(block, count);
}
uint16_t* GpuOperands::bf16(int64_t count) {
  static const auto block = drawn<uint16_t>(2, [](const auto& random, int64_t i) {
    return static_cast<uint16_t>(std::bit_cast<uint32_t>(draw_float(random, i)) >> 16);
  });
  return filled(block, count);
}
int32_t* GpuOperands::integers(const std::vector<int32_t>& values) {
  auto* memory =
      static_cast<int32_t*>(unset(static_cast<int64_t>(values.size() * sizeof(int32_t))));
  device_.copy_in(memory, values.data(), values.size() * sizeof(int32_t));
  device_.synchronise();  // the values are the caller's
  return memory;
}

RowsAt<float> GpuOperands::float_rows(int64_t rows, int64_t width) {
  const auto count = static_cast<int32_t>(rows);
  return {floats(rows * width), {count, count, 0}, static_cast<int32_t>(width)};
}
QuantizedOut GpuOperands::int8_rows(int64_t rows, int64_t width) {
  const auto count = static_cast<int32_t>(rows);
  const int64_t stride = steps_of(width, 1) * kStepBytes;
  return {bytes(rows * stride), floats(rows), {count, count, 0}, static_cast<int32_t>(stride)};
}
WeightAt GpuOperands::weight(WeightKind kind, int64_t outputs, int64_t inputs) {
  WeightAt weight;
  const int64_t padded = groups_of(outputs) * kGroupOutputs;
  switch (kind) {
    case WeightKind::kNibbles:
      weight.data = bytes(padded * steps_of(inputs, 1) * kStepBytes / 2);
      break;
    case WeightKind::kInt8:
      weight.data = bytes(padded * steps_of(inputs, 1) * kStepBytes);
      break;
    case WeightKind::kBf16:
      weight.data = bf16(padded * steps_of(inputs, 2) * kStepBytes / 2);
      break;
    case WeightKind::kFloat32:
      weight.data = floats(outputs * inputs);
  }
  weight.row_scales = floats(outputs);
  weight.bias = floats(outputs);
  weight.outputs = static_cast<int32_t>(outputs);
  weight.inputs = static_cast<int32_t>(inputs);
  weight.kind = kind;
  return weight;
}

double seconds_of(Device& device, uint32_t times,
                  const std::function<GpuLaunch(GpuOperands&)>& make) {
  GpuOperands operands(device);
  std::vector<GpuLaunch> launches = {make(operands)};
  const int64_t sets = sets_for(device.description(), operands.size());
  while (static_cast<int64_t>(launches.size()) < sets) launches.push_back(make(operands));
  launches.front()();  // what takes memory once does so before it is recorded
  device.synchronise();
  const Device::Graph graph = device.capture([&] {
    for (const GpuLaunch& each : launches) each();
  });
  const auto in_graph = static_cast<uint32_t>(launches.size());
  if (!device.description().emulated) device.time(graph, 1);  // to warm up
  return device.time(graph, std::max(1u, times / in_graph)) / in_graph;
}

}  // namespace shiftadd::tools
