// What all contexts of the host device share, as on a machine: its memory, and what it passes for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "cuda/device_api.h"

namespace shiftadd::cuda {

/// An allocation.
struct HostBlock {
  static constexpr int kPinned = -1;

  std::size_t bytes;
  int device;  // kPinned: of the host
};

struct HostMachine {
  std::mutex mutex;  // of the memory below, and of the executor: it runs one thing at a time
  std::map<const char*, HostBlock> blocks;
  int contexts = 0;

  /// The block that holds all of the range, or null.
  const HostBlock* holder(const void* begin, std::size_t bytes) const;
  /// Bytes allocated on a device.
  int64_t used(int device) const;
};
HostMachine& host_machine();

/// The published limits of one device of an architecture, 80 of 8.0; null of one that is not known.
const shiftadd_device_description* emulated_device(int architecture);

}  // namespace shiftadd::cuda
