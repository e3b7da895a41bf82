// The checker: kernels compiled with -fsanitize=thread call a function before each access to
// memory, and here are those functions, in place of the sanitizer's library. A program that links
// this file and any such kernel is checked.
#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <compare>
#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "cuda/simt/block.h"
#include "cuda/simt/device_heap.h"
#include "cuda/simt/mapping.h"
#include "cuda/simt/observer.h"
#include "cuda/simt/reports.h"
#include "cuda/simt/shadow.h"

namespace shiftadd::simt {
namespace {

/// Constants and global variables of the program and its libraries.
class ProgramData {
 public:
  ProgramData() { dl_iterate_phdr(add, this); }
  bool contains(const void* p) const {
    const auto address = reinterpret_cast<uintptr_t>(p);
    for (const auto& [begin, end] : ranges_)
      if (address >= begin && address < end) return true;
    return false;
  }

 private:
  static int add(dl_phdr_info* info, std::size_t, void* self) {
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& segment = info->dlpi_phdr[i];
      const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
      if (segment.p_type == PT_LOAD)
        static_cast<ProgramData*>(self)->ranges_.emplace_back(begin, begin + segment.p_memsz);
    }
    return 0;
  }
  std::vector<std::pair<uintptr_t, uintptr_t>> ranges_;
};

class Checker final : public Observer {
 public:
  void begin_launch(const Kernel& kernel, const Shape& shape, const void* args) override {
    clock_.begin_launch(shape.overlaps);
    args_ = static_cast<const char*>(args);
    args_bytes_ = kernel.args_bytes;
    seen_.clear();
    std::memset(static_cast<void*>(shared_.data()), 0, shared_used_ * sizeof(Cell));
    shared_used_ = 0;
  }

  void begin_block() override { clock_.begin_block(running_block.index); }

  void add_shared(const void* p, std::size_t bytes) override {
    const std::size_t begin = block().shared().offset(p);
    if (shared_.empty()) shared_.resize(SharedMemory::kArenaBytes);
    for (std::size_t i = begin; i < begin + bytes; ++i) {
      shared_[i] = {};
      shared_[i].is_live = 1;
    }
    shared_used_ = std::max(shared_used_, begin + bytes);
  }

  void pass_block_barrier() override { clock_.pass_block_barrier(); }
  void pass_warp_barrier(unsigned warp, uint32_t mask) override {
    clock_.pass_warp_barrier(warp, mask);
  }
  void release_successor() override {
    if (!current_thread().has_waited) clock_.release_early();
  }

  void access(const void* p, std::size_t bytes, Access access, const void* pc) override {
    if (!running_thread || block().is_own_stack(p)) return;
    Cell* cells = cells_of(p);
    if (!cells) {
      check_host_access(p, bytes, access, pc);
      return;
    }
    const Thread& me = current_thread();
    Verdict worst;
    const char* where = nullptr;
    for (std::size_t i = 0; i < bytes; ++i) {
      const Verdict verdict = clock_.access(cells[i], me, me.has_waited, access);
      if (verdict.fault == Fault::kNone || worst.fault != Fault::kNone) continue;
      worst = verdict;
      where = static_cast<const char*>(p) + i;
    }
    if (where) tell(worst, where, bytes, access, pc);
  }

  void empty(const void* p, std::size_t bytes) override {
    Cell* cells = cells_of(p);
    for (std::size_t i = 0; i < bytes; ++i) cells[i].is_initialised = 0;
  }

  void allocate_device(const void* p, std::size_t bytes) override {
    for (Cell* cell = cells_of(p); bytes; --bytes, ++cell) cell->is_live = 1;
  }
  void release_device(const void* p, std::size_t bytes) override {
    zero_memory(cells_of(p), bytes * sizeof(Cell));
  }
  void write_device(const void* p, std::size_t bytes) override {
    for (Cell* cell = cells_of(p); bytes; --bytes, ++cell) {
      *cell = {};
      cell->is_live = cell->is_initialised = 1;
    }
  }

 private:
  /// Of shared or device memory; else null.
  Cell* cells_of(const void* p) {
    if (block().shared().contains(p)) return &shared_[block().shared().offset(p)];
    if (!is_device_address(p)) return nullptr;
    if (!device_) device_ = reinterpret_cast<Cell*>(map_memory(kDeviceAddresses * sizeof(Cell)));
    return device_ + device_offset(p);
  }

  void check_host_access(const void* p, std::size_t bytes, Access access, const void* pc) {
    const auto* begin = static_cast<const char*>(p);
    const bool is_args = begin >= args_ && begin + bytes <= args_ + args_bytes_;
    if (access == Access::kRead && (is_args || data_.contains(p))) return;
    const char* what = block().is_any_stack(p) ? "of another thread's own variables"
                       : data_.contains(p)     ? "of a variable of the host"
                                               : "of the host's memory";
    std::string text = concat(verb(access), " ", bytes, " bytes ", what, place_of(pc),
                              ": kernels reach shared and device memory only");
    block().stop(std::move(text));
  }

  void tell(const Verdict& verdict, const char* where, std::size_t bytes, Access access,
            const void* pc) {
    std::string text = concat(verb(access), " ", bytes, " bytes", place_of(pc), ", ",
                              block().shared().contains(where) ? block().shared().describe(where)
                                                               : describe_device(where),
                              ": ", reason(verdict));
    if (verdict.fault == Fault::kOutOfBounds) block().stop(std::move(text));
    // Once for each place: the other threads do the same.
    const Thread& me = current_thread();
    const bool is_new = seen_.insert({verdict.fault, pc, pc ? 0 : me.site.line}).second;
    if (is_new) report(block().describe(me) + " " + text);
  }

  std::string reason(const Verdict& verdict) const {
    const char* other = verdict.other_wrote ? "writes" : "reads";
    const std::string who =
        verdict.other_thread < 0 ? "another thread" : concat("thread ", verdict.other_thread);
    switch (verdict.fault) {
      case Fault::kOutOfBounds:
        return "out of bounds";
      case Fault::kUninitialised:
        return "nothing was written there, or is still on its way";
      case Fault::kRace:
        return concat("a race, ", who, " ", other, " it and no barrier is between");
      case Fault::kRaceOfBlocks: {
        const uint3 index = clock_.block_at(verdict.other_time);
        return concat("a race between blocks, block (", index.x, ", ", index.y, ", ", index.z, ") ",
                      other, " it in the same launch");
      }
      case Fault::kTooEarly:
        return "the kernel before uses it and may still run: call wait_for_predecessor() first";
      case Fault::kNone:
        break;
    }
    return "";
  }

  static const char* verb(Access access) {
    return access == Access::kRead    ? "reads"
           : access == Access::kWrite ? "writes"
                                      : "changes atomically";
  }

  // Of an operation of the vocabulary, its line; of another access, its address in the program,
  // for addr2line, and the last such line before it.
  static std::string place_of(const void* pc) {
    const Site& site = current_thread().site;
    if (!pc) return concat(" in the ", site.operation, " of ", site);
    Dl_info info{};
    dladdr(pc, &info);
    // The call before the access returns behind itself.
    const auto offset = static_cast<const char*>(pc) - static_cast<const char*>(info.dli_fbase) - 1;
    const std::string after = site.line ? concat(" after the ", site.operation, " of ", site) : "";
    return concat(after, " at program address 0x", std::hex, offset);
  }

  Clock clock_;
  const char* args_ = nullptr;
  std::size_t args_bytes_ = 0;
  std::vector<Cell> shared_;  // one for each byte of the arena
  std::size_t shared_used_ = 0;
  Cell* device_ = nullptr;  // one for each address of the device
  ProgramData data_;
  struct Place {
    Fault fault;
    const void* pc;
    int line;
    auto operator<=>(const Place&) const = default;
  };
  std::set<Place> seen_;
};

// Called before the heap and the kernels that it watches are used, by each object file with
// instrumented code.
void install() {
  static Checker checker;
  observer = &checker;
}

}  // namespace
}  // namespace shiftadd::simt

#define SIMT_ACCESS(kind, bytes)                                           \
  if (shiftadd::simt::running_thread)                                      \
  shiftadd::simt::observer->access(p, bytes, shiftadd::simt::Access::kind, \
                                   __builtin_return_address(0))
#define SIMT_ACCESSES(bytes)                                                \
  void __tsan_read##bytes(void* p) { SIMT_ACCESS(kRead, bytes); }           \
  void __tsan_write##bytes(void* p) { SIMT_ACCESS(kWrite, bytes); }         \
  void __tsan_unaligned_read##bytes(void* p) { SIMT_ACCESS(kRead, bytes); } \
  void __tsan_unaligned_write##bytes(void* p) { SIMT_ACCESS(kWrite, bytes); }

extern "C" {
void __tsan_init() { shiftadd::simt::install(); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
SIMT_ACCESSES(1)
SIMT_ACCESSES(2)
SIMT_ACCESSES(4)
SIMT_ACCESSES(8)
SIMT_ACCESSES(16)
void __tsan_read_range(void* p, std::size_t bytes) { SIMT_ACCESS(kRead, bytes); }
void __tsan_write_range(void* p, std::size_t bytes) { SIMT_ACCESS(kWrite, bytes); }
}
