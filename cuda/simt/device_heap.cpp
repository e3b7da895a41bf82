// Allocations of the emulated device, one behind the other.
#include "cuda/simt/device_heap.h"

#include <cstring>
#include <map>

#include "core/error.h"
#include "cuda/simt/address_sanitizer.h"
#include "cuda/simt/mapping.h"
#include "cuda/simt/observer.h"
#include "cuda/simt/reports.h"

namespace shiftadd::simt {
namespace {

constexpr std::size_t kDeviceBytes = std::size_t{16} << 30;
constexpr std::size_t kAlignment = 256;  // and the least red zone

struct Heap {
  unsigned char* base = nullptr;
  std::size_t used = 0;    // of the address range
  std::size_t in_use = 0;  // bytes of allocations
  std::map<const unsigned char*, std::size_t> allocations;
  bool is_protected = false;
  int opened = 0;  // DeviceAccess objects

  // What was released before the first allocation that there still is stays open: programs that
  // allocate much, one after the other, would spend their time on the rights of dead pages.
  std::size_t closed_from = 0;
  void close() {
    const std::size_t first =
        allocations.empty() ? used : static_cast<std::size_t>(allocations.begin()->first - base);
    closed_from = first / page_bytes() * page_bytes();
    forbid_pages(base + closed_from, used - closed_from, true);
  }
  void open() { forbid_pages(base + closed_from, used - closed_from, false); }
};

Heap& heap() {
  static Heap only;
  return only;
}

std::size_t whole(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// The last allocation that begins at or before the address, or the end.
auto before(const void* p) {
  auto& allocations = heap().allocations;
  auto next = allocations.upper_bound(static_cast<const unsigned char*>(p));
  return next == allocations.begin() ? allocations.end() : std::prev(next);
}

bool is_inside(const void* p, std::size_t bytes, const char* operation) {
  const auto found = before(p);
  const auto* begin = static_cast<const unsigned char*>(p);
  if (found != heap().allocations.end() && begin + bytes <= found->first + found->second)
    return true;
  if (bytes == 0) return true;
  report(concat(operation, " of ", bytes, " bytes goes beyond device memory: it begins at ",
                is_device_address(p) ? describe_device(p) : "an address of the host"));
  return false;
}

}  // namespace

void* device_allocate(std::size_t bytes) {
  Heap& h = heap();
  const std::size_t taken = whole(bytes) + kAlignment;
  if (bytes > kDeviceBytes || h.in_use + bytes > kDeviceBytes || h.used + taken > kDeviceAddresses)
    return nullptr;
  if (!h.base) {
    h.base = map_memory(kDeviceAddresses);
    h.used = kAlignment;
    forbid_bytes(h.base, kAlignment);
  }
  unsigned char* p = h.base + h.used;
  h.used += taken;
  h.in_use += bytes;
  h.allocations[p] = bytes;
  {
    DeviceAccess open;
    std::memset(p, 0xff, bytes);
  }
  forbid_bytes(p + bytes, taken - bytes);
  if (observer) observer->allocate_device(p, bytes);
  return p;
}

void device_release(void* p) {
  if (!p) return;
  Heap& h = heap();
  const auto found = h.allocations.find(static_cast<unsigned char*>(p));
  if (found == h.allocations.end()) {
    report("device_release of an address that device_allocate did not return");
    return;
  }
  const std::size_t bytes = found->second;
  h.allocations.erase(found);
  h.in_use -= bytes;
  {
    DeviceAccess open;
    zero_memory(p, bytes);
  }
  forbid_bytes(p, bytes);
  if (observer) observer->release_device(p, bytes);
}

std::size_t device_bytes_in_use() { return heap().in_use; }

void copy_to_device(void* device, const void* host, std::size_t bytes) {
  if (!is_inside(device, bytes, "copy_to_device")) return;
  DeviceAccess open;
  if (bytes) std::memcpy(device, host, bytes);
  if (observer) observer->write_device(device, bytes);
}

void copy_from_device(void* host, const void* device, std::size_t bytes) {
  if (!is_inside(device, bytes, "copy_from_device")) return;
  DeviceAccess open;
  if (bytes) std::memcpy(host, device, bytes);
}

void copy_on_device(void* to, const void* from, std::size_t bytes) {
  if (!is_inside(to, bytes, "copy_on_device") || !is_inside(from, bytes, "copy_on_device")) return;
  DeviceAccess open;
  if (bytes) std::memmove(to, from, bytes);
  if (observer) observer->write_device(to, bytes);
}

void fill_device(void* device, int byte, std::size_t bytes) {
  if (!is_inside(device, bytes, "fill_device")) return;
  DeviceAccess open;
  if (bytes) std::memset(device, byte, bytes);
  if (observer) observer->write_device(device, bytes);
}

void protect_device_heap(bool inaccessible) {
  Heap& h = heap();
  h.is_protected = inaccessible;
  if (h.opened || !h.base) return;
  if (inaccessible)
    h.close();
  else
    h.open();
}

DeviceAccess::DeviceAccess() {
  Heap& h = heap();
  if (h.opened++ == 0 && h.is_protected && h.base) h.open();
}

DeviceAccess::~DeviceAccess() {
  Heap& h = heap();
  if (--h.opened == 0 && h.is_protected && h.base) h.close();
}

bool is_device_address(const void* p) {
  const Heap& h = heap();
  return p >= h.base && p < h.base + kDeviceAddresses && h.base;
}

std::size_t device_offset(const void* p) {
  return static_cast<std::size_t>(static_cast<const unsigned char*>(p) - heap().base);
}

std::span<std::byte> device_allocation(const void* p) {
  const auto found = before(p);
  if (found == heap().allocations.end()) return {};
  auto* begin = reinterpret_cast<std::byte*>(const_cast<unsigned char*>(found->first));
  return {begin, found->second};
}

std::string describe_device(const void* p) {
  const auto found = before(p);
  if (found == heap().allocations.end()) return "before any allocation";
  const auto offset = static_cast<std::size_t>(static_cast<const unsigned char*>(p) - found->first);
  if (offset < found->second)
    return concat("byte ", offset, " of an allocation of ", found->second);
  return concat(offset - found->second, " bytes beyond an allocation of ", found->second);
}

}  // namespace shiftadd::simt
