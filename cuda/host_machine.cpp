// See host_machine.h.
#include "cuda/host_machine.h"

#include <iterator>

namespace shiftadd::cuda {
namespace {

constexpr shiftadd_device_description kDescriptions[] = {
    {"host executor as A100", 80, 108, 65536, 163 << 10, 40 << 20, 0, 1},
    {"host executor as RTX 3090", 86, 82, 65536, 99 << 10, 6 << 20, 0, 1},
    {"host executor as RTX 4090", 89, 128, 65536, 99 << 10, 72 << 20, 0, 1},
    {"host executor as H100", 90, 132, 65536, 227 << 10, 50 << 20, 0, 1},
    {"host executor as B200", 100, 148, 65536, 227 << 10, 126 << 20, 0, 1},
    {"host executor as RTX 5090", 120, 170, 65536, 99 << 10, 96 << 20, 0, 1},
};

}  // namespace

const HostBlock* HostMachine::holder(const void* begin, std::size_t bytes) const {
  const auto* address = static_cast<const char*>(begin);
  auto after = blocks.upper_bound(address);
  if (after == blocks.begin()) return nullptr;
  const auto& [start, block] = *std::prev(after);
  const auto offset = static_cast<std::size_t>(address - start);
  return offset <= block.bytes && bytes <= block.bytes - offset ? &block : nullptr;
}

int64_t HostMachine::used(int device) const {
  int64_t sum = 0;
  for (const auto& [start, block] : blocks)
    if (block.device == device) sum += static_cast<int64_t>(block.bytes);
  return sum;
}

HostMachine& host_machine() {
  static HostMachine machine;
  return machine;
}

const shiftadd_device_description* emulated_device(int architecture) {
  for (const shiftadd_device_description& each : kDescriptions)
    if (each.architecture == architecture) return &each;
  return nullptr;
}

}  // namespace shiftadd::cuda
