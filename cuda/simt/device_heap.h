// The memory of the emulated device: an address range of its own, in which no address is used
// twice, so that what reads released memory finds nothing of another allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace shiftadd::simt {

/// 256-byte aligned, filled with 0xff (NaN, -1), between red zones; null where the device's
/// 16 GiB do not suffice.
void* device_allocate(std::size_t bytes);
/// Of device_allocate(), or null. Reports any other address.
void device_release(void* p);
std::size_t device_bytes_in_use();

/// The host's way to device memory. They report ranges that do not lie in one allocation, and copy
/// nothing then. Checked programs know of no other initialisation by the host.
void copy_to_device(void* device, const void* host, std::size_t bytes);
void copy_from_device(void* host, const void* device, std::size_t bytes);
void copy_on_device(void* to, const void* from, std::size_t bytes);
void fill_device(void* device, int byte, std::size_t bytes);

/// While it is inaccessible, only kernels and the functions above reach device memory: a host that
/// dereferences a device pointer gets a segmentation fault, as it would with a GPU.
void protect_device_heap(bool inaccessible);

/// Opens the heap for a kernel or a copy as long as it lives.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

/// The device's addresses, allocated or not.
constexpr std::size_t kDeviceAddresses = std::size_t{256} << 30;
bool is_device_address(const void* p);
std::size_t device_offset(const void* p);
/// The last allocation that begins at or before the address; empty if there is none.
std::span<std::byte> device_allocation(const void* p);
/// "byte 12 of an allocation of 400", "4 bytes beyond an allocation of 400"
std::string describe_device(const void* p);

}  // namespace shiftadd::simt
