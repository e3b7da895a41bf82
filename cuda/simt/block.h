// One block of a kernel: its threads as fibers, and what they wait for.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "cuda/simt/executor.h"
#include "cuda/simt/fiber.h"
#include "cuda/simt/running.h"
#include "cuda/simt/shared_memory.h"

namespace shiftadd::simt {

/// A copy from global to shared memory that is on its way.
struct AsyncCopy {
  void* shared;
  const void* global;
  int valid_bytes;
  int group;  // number of the group that it belongs to, from 0 in each thread
  Site site;
};

struct Thread : RunningThread {
  Fiber fiber;
  Site site;                // of the last operation that it came to
  bool has_waited = false;  // for the kernel before
  // What it waits for in a warp operation.
  uint32_t mask = 0;
  WarpFunction function = nullptr;
  void* operand = nullptr;
  // Its asynchronous copies.
  std::vector<AsyncCopy> copies;
  int groups = 0;  // that it has committed
};

inline Thread& current_thread() { return static_cast<Thread&>(*running_thread); }

/// The lanes of a warp by what they do; a lane in none of the sets is the one that runs.
struct Warp {
  uint32_t ready = 0, at_barrier = 0, in_operation = 0, returned = 0;
};

class Block {
 public:
  /// For the blocks of one launch.
  void begin_launch(const Kernel& kernel, const Shape& shape, const void* args);
  /// Runs the block with that index; false if a fault ended it.
  bool run(uint3 index);

  // Of the thread that runs.
  void barrier(const Site& site);
  void warp_operation(uint32_t mask, WarpFunction function, void* operand, const Site& site);
  /// Reports the fault, naming block and thread, and ends the run. What else the frames of the
  /// thread own is never freed.
  [[noreturn]] void stop(std::string&& fault);

  void wait_for_kernel_before();

  /// Whether any thread of the launch has waited for the kernel before.
  bool has_waited() const { return has_waited_; }
  /// "[gemm] block (1, 0, 0), thread 37"
  std::string describe(const Thread& thread) const;
  SharedMemory& shared() { return shared_; }
  /// The stack of the thread that runs, and of any.
  bool is_own_stack(const void* p) const;
  bool is_any_stack(const void* p) const;

 private:
  static void thread_main();
  void start_threads();
  bool run_warps();
  void resume(Warp& warp, unsigned number);
  Thread& next_of(Warp& warp, unsigned number);
  unsigned next_lane(uint32_t ready);
  void go_on();
  void pass_barrier();
  bool agree(const Thread& last, uint32_t mask) const;
  void finish_operation(Warp& warp, Thread& last);
  void report_partial_barrier();
  void report_deadlock();
  uint32_t random();

  const Kernel* kernel_ = nullptr;
  const void* args_ = nullptr;
  bool overlaps_ = false, has_waited_ = false;
  SharedMemory shared_;
  std::vector<Thread> threads_;                      // of the largest block so far
  std::vector<Warp> warps_;                          // of this launch
  unsigned count_ = 0, waiting_ = 0, returned_ = 0;  // threads: in all, at the barrier, returned
  Site barrier_;                                     // where the first one waits
  unsigned barrier_thread_ = 0;
  unsigned char* stacks_ = nullptr;
  Fiber scheduler_;
  bool stopped_ = false;
  uint64_t random_state_ = 1;
};

/// The one block there is.
Block& block();

/// "gemm.cu:41": the file without its folders.
std::ostream& operator<<(std::ostream& out, const Site& site);

}  // namespace shiftadd::simt
