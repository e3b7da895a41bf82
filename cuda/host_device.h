// A device that is none: the table of device_api.h on the host executor, for tests without a GPU.
#pragma once

#include <cstdint>
#include <span>

#include "cuda/device_api.h"
#include "cuda/simt/kernel.h"

namespace shiftadd::cuda {

/// What the device claims to be; what is open keeps what it was opened with.
struct HostDeviceOptions {
  /// Whose limits are held: 80, 86, 89, 90, 100 or 120.
  int architecture = 80;
  /// None: as on a machine with a driver but without a device.
  int devices = 1;
  int64_t memory_bytes = int64_t{1} << 30;  // of each device
  /// all_kernels() where it is empty.
  std::span<const simt::Kernel* const> kernels = {};
};
HostDeviceOptions& host_device_options();

/// Stricter than a GPU: copies and launches are queued and done by synchronise() alone, so that
/// work that is not waited for is never done; while a context is open, device memory is closed to
/// code that is no kernel; and a kernel or copy that the executor reports ends in
/// SHIFTADD_DEVICE_LOST, with the report.
const shiftadd_device_api& host_device_api();

}  // namespace shiftadd::cuda
