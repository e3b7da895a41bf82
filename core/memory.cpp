// First-fit arena over one reserved address range; plain aligned allocation under sanitizers.
#include "core/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "core/error.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHIFTADD_PLAIN_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SHIFTADD_PLAIN_MALLOC 1
#endif
#endif

namespace shiftadd {
namespace {

[[maybe_unused]] constexpr std::size_t kReserve =
    std::size_t{1} << 40;  // addresses only; pages come on first touch
[[maybe_unused]] constexpr std::size_t kSmallestReserve = std::size_t{1} << 32;

std::size_t round_up(std::size_t bytes) {
  return std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
}

class Arena {
 public:
  Arena() {
#ifndef SHIFTADD_PLAIN_MALLOC
    // A limit on address space (ulimit -v) may refuse the large range: ask for less, then do
    // without.
    for (std::size_t size = kReserve; size >= kSmallestReserve; size /= 4) {
      void* range = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (range == MAP_FAILED) continue;
      madvise(range, size, MADV_HUGEPAGE);
      base_ = static_cast<char*>(range);
      size_ = size;
      free_[0] = size;
      break;
    }
#endif
  }

  void* allocate(std::size_t bytes) {
    const std::size_t size = round_up(bytes);
    std::lock_guard lock(mutex_);
    void* block = take(size);
    if (!block) {
      block = std::aligned_alloc(kAlignment, size);
      if (!block)
        throw failure("out of memory: ", bytes, " bytes asked, ", stats_.in_use, " in use");
    }
    stats_.in_use += size;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    ++stats_.allocations;
    return block;
  }

  void deallocate(void* block, std::size_t bytes) noexcept {
    const std::size_t size = round_up(bytes);
    std::lock_guard lock(mutex_);
    stats_.in_use -= size;
    char* const p = static_cast<char*>(block);
    if (!base_ || p < base_ || p >= base_ + size_) return std::free(block);
    std::size_t offset = p - base_, length = size;
    auto next = free_.lower_bound(offset);
    if (next != free_.end() && next->first == offset + length) {
      length += next->second;
      next = free_.erase(next);
    }
    if (next != free_.begin()) {
      auto before = std::prev(next);
      if (before->first + before->second == offset) {
        before->second += length;
        return;
      }
    }
    free_.emplace_hint(next, offset, length);
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak = stats_.in_use;
  }

 private:
  // Lowest address first keeps the high-water mark, and with it the resident size, low.
  void* take(std::size_t size) {
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second < size) continue;
      const std::size_t offset = it->first, length = it->second;
      it = free_.erase(it);
      if (length > size) free_.emplace_hint(it, offset + size, length - size);
      stats_.reserved = std::max(stats_.reserved, offset + size);
      return base_ + offset;
    }
    return nullptr;
  }

  std::mutex mutex_;
  char* base_ = nullptr;
  std::size_t size_ = 0;
  std::map<std::size_t, std::size_t> free_;  // offset -> length, never two neighbours
  MemoryStats stats_;
};

// Never destroyed: tensors in static storage may outlive any static object.
Arena& arena() {
  static Arena* const instance = new Arena;
  return *instance;
}

}  // namespace

void* allocate(std::size_t bytes) { return arena().allocate(bytes); }
void deallocate(void* block, std::size_t bytes) noexcept { arena().deallocate(block, bytes); }
MemoryStats memory_stats() { return arena().stats(); }
void reset_peak_memory() { arena().reset_peak(); }

std::size_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace shiftadd
