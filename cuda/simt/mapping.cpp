// mmap, madvise and mprotect.
#include "cuda/simt/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "core/error.h"

namespace shiftadd::simt {

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

unsigned char* map_memory(std::size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    throw failure("The emulated device needs ", bytes >> 20,
                  " MiB of addresses: ", std::strerror(errno),
                  "; raise the limit of virtual memory (ulimit -v)");
  return static_cast<unsigned char*>(p);
}

void zero_memory(void* p, std::size_t bytes) {
  const uintptr_t page = page_bytes();
  const auto begin = reinterpret_cast<uintptr_t>(p), end = begin + bytes;
  const uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
  if (first >= last) {
    std::memset(p, 0, bytes);
    return;
  }
  std::memset(p, 0, first - begin);
  madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  std::memset(reinterpret_cast<void*>(last), 0, end - last);
}

void forbid_pages(void* p, std::size_t bytes, bool forbidden) {
  if (bytes) mprotect(p, bytes, forbidden ? PROT_NONE : PROT_READ | PROT_WRITE);
}

}  // namespace shiftadd::simt
