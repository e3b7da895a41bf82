// Layout, filling and red zones of shared memory.
#include "cuda/simt/shared_memory.h"

#include <cstring>

#include "core/error.h"
#include "cuda/simt/address_sanitizer.h"
#include "cuda/simt/mapping.h"
#include "cuda/simt/observer.h"

namespace shiftadd::simt {

void SharedMemory::begin_launch(std::size_t dynamic_bytes) {
  if (!arena_) arena_ = map_memory(kArenaBytes);
  forbid_bytes(arena_, kArenaBytes);
  arrays_.clear();
  static_bytes_ = 0;
  used_ = kRedZone;
  add(nullptr, "dynamic shared memory", dynamic_bytes);
}

void SharedMemory::begin_block() {
  for (const Array& array : arrays_) {
    std::memset(array.begin, 0xff, array.bytes);
    if (observer) observer->add_shared(array.begin, array.bytes);
  }
}

unsigned char* SharedMemory::add(const void* key, const char* name, std::size_t bytes) {
  unsigned char* begin = arena_ + used_;
  const std::size_t whole = (bytes + 15) / 16 * 16;
  used_ += whole + kRedZone;
  arrays_.push_back({key, name, begin, bytes});
  allow_bytes(begin, bytes);
  return begin;
}

void* SharedMemory::array(const void* key, const char* name, std::size_t bytes) {
  for (const Array& array : arrays_)
    if (array.key == key) return array.begin;
  static_bytes_ += bytes;
  const bool is_within_limits =
      static_bytes_ <= kMostStaticBytes && arrays_[0].bytes + static_bytes_ <= kMostBytes;
  if (!is_within_limits || used_ + bytes + 2 * kRedZone > kArenaBytes) return nullptr;
  unsigned char* begin = add(key, name, bytes);
  std::memset(begin, 0xff, bytes);
  if (observer) observer->add_shared(begin, bytes);
  return begin;
}

std::string SharedMemory::describe(const void* p) const {
  const Array* nearest = &arrays_[0];
  for (const Array& array : arrays_)
    if (array.begin <= p) nearest = &array;
  const auto offset = static_cast<const unsigned char*>(p) - nearest->begin;
  if (offset < 0) return concat(-offset, " bytes before ", nearest->name);
  const auto bytes = static_cast<std::ptrdiff_t>(nearest->bytes);
  if (offset >= bytes) return concat(offset - bytes, " bytes beyond the end of ", nearest->name);
  return concat(nearest->name, " + ", offset);
}

}  // namespace shiftadd::simt
