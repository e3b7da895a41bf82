// The rules of order.
#include "cuda/simt/shadow.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace shiftadd::simt {

void Clock::begin_launch(bool overlaps) {
  if (now_ > UINT32_MAX / 2) throw failure("The checker's clock has run out: check less at once");
  const uint32_t before = launch_;
  launch_ = ++now_;
  if (!overlaps)
    unfinished_ = launch_;
  else if (!released_early_)
    unfinished_ = before;
  released_early_ = false;
  blocks_.clear();
}

void Clock::begin_block(uint3 index) {
  block_ = barrier_ = ++now_;
  blocks_.push_back({now_, index});
}

void Clock::pass_warp_barrier(unsigned warp, uint32_t mask) {
  ++now_;
  auto& known = known_[warp];
  Lanes merged{};
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    for (unsigned i = 0; i < 32; ++i) merged[i] = std::max(merged[i], known[lane][i]);
  }
  for (unsigned lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) merged[lane] = now_;
  for (unsigned lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) known[lane] = merged;
}

// Of an access by a thread of this block since it began.
bool Clock::is_ordered(uint32_t time, unsigned other, const RunningThread& thread) const {
  if (time < barrier_ || other == thread.number) return true;
  return other / 32 == thread.warp && time < known_[thread.warp][thread.lane][other % 32];
}

Verdict Clock::against_write(const Cell& cell, const RunningThread& thread, Access access) const {
  const uint32_t time = cell.write_time;
  if (time < launch_ || (access == Access::kAtomic && cell.was_atomic)) return {};
  Verdict race{Fault::kRace, true, time, static_cast<int>(cell.write_thread)};
  if (time < block_ || cell.many_atomic_blocks) {
    race.fault = Fault::kRaceOfBlocks;
    return race;
  }
  if (cell.many_atomic_threads && time >= barrier_) {
    race.other_thread = -1;
    return race;
  }
  return is_ordered(time, cell.write_thread, thread) ? Verdict{} : race;
}

Verdict Clock::against_reads(const Cell& cell, const RunningThread& thread) const {
  const uint32_t time = cell.read_time;
  if (time < launch_) return {};
  if (time < block_ || cell.many_read_blocks) return {Fault::kRaceOfBlocks, false, time, -1};
  if (time < barrier_) return {};
  if (cell.many_read_warps) return {Fault::kRace, false, time, -1};
  for (uint32_t rest = cell.read_lanes; rest; rest &= rest - 1) {
    const unsigned other = cell.read_warp * 32 + static_cast<unsigned>(std::countr_zero(rest));
    if (!is_ordered(time, other, thread))
      return {Fault::kRace, false, time, static_cast<int>(other)};
  }
  return {};
}

void Clock::remember_read(Cell& cell, const RunningThread& thread) const {
  const bool is_of_launch = cell.read_time >= launch_;
  const bool is_of_block = is_of_launch && cell.read_time >= block_;
  const bool is_since_barrier = is_of_block && cell.read_time >= barrier_;
  cell.many_read_blocks = is_of_launch && (cell.many_read_blocks || !is_of_block);
  if (is_since_barrier && cell.read_warp == thread.warp) {
    cell.read_lanes |= 1u << thread.lane;
  } else {
    cell.many_read_warps = is_since_barrier;
    cell.read_lanes = 1u << thread.lane;
    cell.read_warp = thread.warp & 31;
  }
  cell.read_time = now_;
}

void Clock::remember_write(Cell& cell, const RunningThread& thread, Access access) const {
  const bool joins = access == Access::kAtomic && cell.was_atomic && cell.write_time >= launch_;
  const bool is_other_block = joins && cell.write_time < block_;
  const bool is_other_thread = joins && !is_other_block && cell.write_time >= barrier_ &&
                               !is_ordered(cell.write_time, cell.write_thread, thread);
  cell.many_atomic_blocks = joins && (cell.many_atomic_blocks || is_other_block);
  const bool had_many = joins && cell.many_atomic_threads && cell.write_time >= barrier_;
  cell.many_atomic_threads = had_many || is_other_thread;
  cell.was_atomic = access == Access::kAtomic;
  cell.is_initialised = 1;
  cell.write_time = now_;
  cell.write_thread = thread.number & 1023;
  cell.read_time = 0;
  cell.read_lanes = 0;
  cell.many_read_warps = cell.many_read_blocks = 0;
}

Verdict Clock::access(Cell& cell, const RunningThread& thread, bool has_waited,
                      Access access) const {
  const bool reads = access != Access::kWrite, writes = access != Access::kRead;
  if (!cell.is_live) return {Fault::kOutOfBounds};
  Verdict verdict = against_write(cell, thread, access);
  if (writes && verdict.fault == Fault::kNone) verdict = against_reads(cell, thread);
  if (reads && !cell.is_initialised) verdict = {Fault::kUninitialised};
  const bool is_early =
      !has_waited && (is_too_early(cell.write_time) || (writes && is_too_early(cell.read_time)));
  if (is_early) verdict = {Fault::kTooEarly};
  if (writes)
    remember_write(cell, thread, access);
  else
    remember_read(cell, thread);
  return verdict;
}

uint3 Clock::block_at(uint32_t time) const {
  uint3 index{};
  for (const Began& block : blocks_)
    if (block.time <= time) index = block.index;
  return index;
}

}  // namespace shiftadd::simt
