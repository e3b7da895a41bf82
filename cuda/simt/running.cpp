// The operations of the vocabulary: each is told the observer, if there is one.
#include "cuda/simt/running.h"

#include <cstring>

#include "core/error.h"
#include "cuda/simt/address_sanitizer.h"
#include "cuda/simt/block.h"
#include "cuda/simt/device_heap.h"
#include "cuda/simt/host.h"
#include "cuda/simt/observer.h"

namespace shiftadd::simt {
namespace {

constexpr std::size_t kCopyBytes = 16, kRowBytes = 16;

bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

void synchronise_warp(void* const*, uint32_t mask) {
  if (observer) observer->pass_warp_barrier(running_thread->warp, mask);
}

void check_copy(const void* shared, const void* global, int valid_bytes, const Site& site) {
  const char* broken = nullptr;
  if (!is_aligned(shared) || (valid_bytes && !is_aligned(global)))
    broken = "an address that is no multiple of 16";
  else if (valid_bytes < 0 || valid_bytes > static_cast<int>(kCopyBytes))
    broken = "a number of bytes that is not in 0 ... 16";
  else if (!block().shared().contains(shared))
    broken = "a destination that is not in shared memory";
  else if (valid_bytes && block().shared().contains(global))
    broken = "a source that is in shared memory";
  if (broken) block().stop(concat("gives the cp_async16 of ", site, " ", broken));
}

// Each lane's operand: where its four registers are, and the row that it names.
struct MatrixOperand {
  uint32_t* registers;
  const void* row;
};

// Lane i gets elements 2 (i % 4) and the next of row i / 4 of each matrix or, where it is turned,
// of column i / 4. The rows of matrix m are named by the lanes 8 m ... 8 m + 7.
template <bool kTurned>
void distribute_rows(void* const* operands, uint32_t) {
  for (int lane = 0; lane < 32; ++lane) {
    const auto* to = static_cast<const MatrixOperand*>(operands[lane]);
    for (int matrix = 0; matrix < 4; ++matrix) {
      uint16_t pair[2];
      for (int i = 0; i < 2; ++i) {
        const int line = lane / 4, element = lane % 4 * 2 + i;
        const int row = 8 * matrix + (kTurned ? element : line);
        const auto* from = static_cast<const MatrixOperand*>(operands[row]);
        std::memcpy(&pair[i], static_cast<const char*>(from->row) + 2 * (kTurned ? line : element),
                    2);
      }
      std::memcpy(&to->registers[matrix], pair, 4);
    }
  }
}

template <class Operand>
Operand& lane_of(void* const* operands, int lane) {
  return *static_cast<Operand*>(operands[lane]);
}

}  // namespace

void block_barrier(const Site& site) { block().barrier(site); }

void warp_operation(uint32_t mask, WarpFunction function, void* operand, const Site& site) {
  block().warp_operation(mask, function, operand, site);
}

void warp_barrier(uint32_t mask, const Site& site) {
  block().warp_operation(mask, synchronise_warp, nullptr, site);
}

void* shared_array(const void* key, const char* name, std::size_t bytes) {
  void* array = block().shared().array(key, name, bytes);
  if (!array)
    block().stop(concat("has no room for ", bytes, " bytes of SIMT_SHARED ", name, ": at most ",
                        SharedMemory::kMostStaticBytes, " bytes of such arrays, ",
                        SharedMemory::kMostBytes, " with the dynamic shared memory"));
  return array;
}

unsigned char* dynamic_shared() { return block().shared().dynamic(); }

// ---- Asynchronous copies: the old bytes are gone at once, the new ones come at the wait. What
// ---- relies on anything between reads 0xff.

void copy_async(void* shared, const void* global, int valid_bytes, const Site& site) {
  check_copy(shared, global, valid_bytes, site);
  Thread& me = current_thread();
  me.site = site;
  if (observer) {
    observer->access(shared, kCopyBytes, Access::kWrite, nullptr);
    if (valid_bytes) observer->access(global, valid_bytes, Access::kRead, nullptr);
    observer->empty(shared, kCopyBytes);
  }
  std::memset(shared, 0xff, kCopyBytes);
  me.copies.push_back({shared, global, valid_bytes, me.groups, site});
}

void commit_copies() { ++current_thread().groups; }

void wait_for_copies(int groups) {
  Thread& me = current_thread();
  const int first_pending = me.groups - groups;
  std::size_t kept = 0;
  for (const AsyncCopy& copy : me.copies) {
    if (copy.group >= first_pending) {
      me.copies[kept++] = copy;
      continue;
    }
    me.site = copy.site;
    if (observer) observer->access(copy.shared, kCopyBytes, Access::kWrite, nullptr);
    std::memset(copy.shared, 0, kCopyBytes);
    if (copy.valid_bytes)
      std::memcpy(copy.shared, copy.global, static_cast<std::size_t>(copy.valid_bytes));
  }
  me.copies.resize(kept);
}

void load_matrices(uint32_t* registers, const void* row, bool turned, const Site& site) {
  if (!is_aligned(row) || !block().shared().contains(row))
    block().stop(concat("gives the ", site.operation, " of ", site, " a row that ",
                        is_aligned(row) ? "is not in shared memory" : "is no multiple of 16"));
  current_thread().site = site;
  if (observer) observer->access(row, kRowBytes, Access::kRead, nullptr);
  MatrixOperand operand{registers, row};
  block().warp_operation(~0u, turned ? distribute_rows<true> : distribute_rows<false>, &operand,
                         site);
}

void before_atomic(const void* p, std::size_t bytes, const Site& site) {
  current_thread().site = site;
  if (observer) observer->access(p, bytes, Access::kAtomic, nullptr);
}

// ---- Overlapping launches ----

void wait_for_kernel_before() { block().wait_for_kernel_before(); }

void release_kernel_after() {
  if (observer) observer->release_successor();
}

// ---- What the last lane computes for all ----

void shuffle_lanes(void* const* operands, uint32_t mask) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    auto& to = lane_of<ShuffleOperand>(operands, lane);
    if (!(mask >> to.source & 1))
      block().stop(concat("finds lane ", lane, " of its warp shuffle from lane ", to.source,
                          ", which the mask leaves out"));
    to.result = lane_of<ShuffleOperand>(operands, to.source).value;
  }
}

void collect_votes(void* const* operands, uint32_t mask) {
  uint32_t votes = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) votes |= uint32_t{lane_of<VoteOperand>(operands, lane).vote} << lane;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) lane_of<VoteOperand>(operands, lane).votes = votes;
}

namespace {

template <class Combine>
void reduce_lanes(void* const* operands, uint32_t mask, Combine combine) {
  bool is_first = true;
  int64_t result = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    const int64_t value = lane_of<ReduceOperand>(operands, lane).value;
    result = is_first ? value : combine(result, value);
    is_first = false;
  }
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) lane_of<ReduceOperand>(operands, lane).result = result;
}

}  // namespace

void add_lanes(void* const* operands, uint32_t mask) {
  reduce_lanes(operands, mask, [](int64_t a, int64_t b) { return a + b; });
}

void max_lanes(void* const* operands, uint32_t mask) {
  reduce_lanes(operands, mask, [](int64_t a, int64_t b) { return a > b ? a : b; });
}

}  // namespace shiftadd::simt
