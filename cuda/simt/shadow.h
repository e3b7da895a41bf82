// What a checker remembers of each byte, and the rules by which two accesses are in order.
//
// Blocks run one after the other, so one clock stamps everything: it ticks when a launch or a block
// begins and at each barrier. An access is ordered before the one of now if its stamp is
//   - before this launch began (unless the launches overlap and the thread has not waited), or
//   - after this block began and before its last __syncthreads, or
//   - of the same thread, or
//   - of a lane of the same warp, before a __syncwarp that the running lane knows of.
// Anything else is a race, in whatever order the executor happened to run the two. Shuffles and
// votes order nothing, as CUDA says; nor do atomic operations, which are in order among themselves.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cuda/simt/observer.h"
#include "cuda/simt/running.h"

namespace shiftadd::simt {

/// One byte. Reads are those since the last write.
struct Cell {
  uint32_t write_time = 0, read_time = 0;  // of the last ones; 0: none, or the host's
  uint32_t read_lanes = 0;                 // of the warp that read last, since the last barrier
  uint32_t write_thread : 10 = 0;
  uint32_t read_warp : 5 = 0;
  uint32_t is_live : 1 = 0;              // part of an array or an allocation
  uint32_t is_initialised : 1 = 0;       // and not overwritten by a copy that is on its way
  uint32_t was_atomic : 1 = 0;           // the last write
  uint32_t many_atomic_threads : 1 = 0;  // wrote, atomically and not in order
  uint32_t many_atomic_blocks : 1 = 0;
  uint32_t many_read_warps : 1 = 0;  // since the last barrier
  uint32_t many_read_blocks : 1 = 0;
};
static_assert(sizeof(Cell) == 16);

enum class Fault { kNone, kOutOfBounds, kUninitialised, kRace, kRaceOfBlocks, kTooEarly };

/// A fault and the other access of a race.
struct Verdict {
  Fault fault = Fault::kNone;
  bool other_wrote = false;
  uint32_t other_time = 0;
  int other_thread = -1;  // unknown: several
};

class Clock {
 public:
  void begin_launch(bool overlaps);
  void begin_block(uint3 index);
  void pass_block_barrier() { barrier_ = ++now_; }
  void pass_warp_barrier(unsigned warp, uint32_t mask);
  /// A thread that has not waited lets the next launch start.
  void release_early() { released_early_ = true; }

  /// Whether an access of now by the thread is right, which is then remembered.
  Verdict access(Cell& cell, const RunningThread& thread, bool has_waited, Access access) const;
  /// The block of this launch that ran at that time.
  uint3 block_at(uint32_t time) const;

 private:
  bool is_ordered(uint32_t time, unsigned other, const RunningThread& thread) const;
  Verdict against_write(const Cell& cell, const RunningThread& thread, Access access) const;
  Verdict against_reads(const Cell& cell, const RunningThread& thread) const;
  bool is_too_early(uint32_t time) const { return time >= unfinished_ && time < launch_; }
  void remember_read(Cell& cell, const RunningThread& thread) const;
  void remember_write(Cell& cell, const RunningThread& thread, Access access) const;

  uint32_t now_ = 0;
  uint32_t launch_ = 0, block_ = 0, barrier_ = 0;  // when this one began, or was passed
  uint32_t unfinished_ = 0;  // when the oldest launch began that may run beside this one
  bool released_early_ = false;

  struct Began {
    uint32_t time;
    uint3 index;
  };
  std::vector<Began> blocks_;  // of this launch

  // known_[w][i][j]: accesses of lane j of warp w before this time are in order before lane i's.
  using Lanes = std::array<uint32_t, 32>;
  std::array<std::array<Lanes, 32>, 32> known_{};
};

}  // namespace shiftadd::simt
