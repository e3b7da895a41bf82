// The schedule of a block: which thread runs next, and when those that wait may go on.
#include "cuda/simt/block.h"

#include <bit>
#include <cstring>

#include "core/error.h"
#include "cuda/simt/address_sanitizer.h"
#include "cuda/simt/mapping.h"
#include "cuda/simt/observer.h"
#include "cuda/simt/reports.h"

namespace shiftadd::simt {
namespace {

constexpr unsigned kMostThreads = 1024;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kStackBytes = 128 << 10;  // the lowest page is a guard
// Stacks end at different cache sets, which a stack's size alone would not do.
constexpr std::size_t kStackStep = 5 * 64;

unsigned lowest(uint32_t lanes) { return static_cast<unsigned>(std::countr_zero(lanes)); }
unsigned highest(uint32_t lanes) { return 31 - static_cast<unsigned>(std::countl_zero(lanes)); }

unsigned char* map_stacks() {
  unsigned char* stacks = map_memory(kMostThreads * kStackBytes);
  for (unsigned i = 0; i < kMostThreads; ++i) forbid_pages(stacks + i * kStackBytes, kPage, true);
  return stacks;
}

bool same(const Site& a, const Site& b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

}  // namespace

Block& block() {
  static Block only;
  return only;
}

std::ostream& operator<<(std::ostream& out, const Site& site) {
  const char* slash = std::strrchr(site.file, '/');
  return out << (slash ? slash + 1 : site.file) << ':' << site.line;
}

void Block::begin_launch(const Kernel& kernel, const Shape& shape, const void* args) {
  kernel_ = &kernel;
  args_ = args;
  overlaps_ = shape.overlaps;
  has_waited_ = false;
  count_ = shape.block_x * shape.block_y * shape.block_z;
  running_block = {{},
                   {shape.block_x, shape.block_y, shape.block_z},
                   {shape.grid_x, shape.grid_y, shape.grid_z}};
  warps_.resize(count_ / 32);
  if (!stacks_) stacks_ = map_stacks();
  if (threads_.size() < count_) threads_.resize(count_);
  for (unsigned i = 0; i < count_; ++i) {
    Thread& thread = threads_[i];
    thread.index = {i % shape.block_x, i / shape.block_x % shape.block_y,
                    i / shape.block_x / shape.block_y};
    thread.number = i;
    thread.warp = i / 32;
    thread.lane = i % 32;
  }
  shared_.begin_launch(shape.shared_bytes);
  random_state_ = options().seed * 0x9e3779b97f4a7c15u + 1;
}

bool Block::run(uint3 index) {
  running_block.index = index;
  if (observer) observer->begin_block();
  shared_.begin_block();
  start_threads();
  const bool finished = run_warps();
  running_thread = nullptr;
  // Frames that were left in the middle leave red zones of the address sanitizer behind.
  if (!finished)
    for (unsigned i = 0; i < count_; ++i)
      allow_bytes(stacks_ + i * kStackBytes + kPage, kStackBytes - kPage);
  return finished;
}

void Block::start_threads() {
  waiting_ = returned_ = 0;
  stopped_ = false;
  for (Warp& warp : warps_) warp = {.ready = ~0u};
  for (unsigned i = 0; i < count_; ++i) {
    Thread& thread = threads_[i];
    thread.site = {};
    thread.has_waited = !overlaps_;
    thread.copies.clear();
    thread.groups = 0;
    auto* stack = reinterpret_cast<char*>(stacks_ + i * kStackBytes);
    start_fiber(thread.fiber, stack + kPage, kStackBytes - kPage, i * kStackStep % kPage,
                thread_main);
  }
}

void Block::thread_main() {
  begin_fiber();
  Block& self = block();
  self.kernel_->host(self.args_);
  Thread& thread = current_thread();
  if (!thread.copies.empty())
    self.stop(concat("returned before it waited for its copy of ", thread.copies[0].site));
  self.warps_[thread.warp].returned |= 1u << thread.lane;
  ++self.returned_;
  leave_fiber(thread.fiber, self.scheduler_);
}

// ---- Who runs next ----

bool Block::run_warps() {
  const auto count = static_cast<unsigned>(warps_.size());
  const Order order = options().order;
  while (returned_ < count_) {
    bool any_ran = false;
    const unsigned first = order == Order::kRandom ? random() % count : 0;
    for (unsigned i = 0; i < count; ++i) {
      const unsigned number = order == Order::kReverse ? count - 1 - i : (first + i) % count;
      Warp& warp = warps_[number];
      while (warp.ready && !stopped_) {
        any_ran = true;
        resume(warp, number);
        if (order == Order::kRandom && random() % 4 == 0) break;
      }
      if (stopped_) return false;
    }
    if (any_ran) continue;
    if (waiting_ == count_) {
      pass_barrier();
      continue;
    }
    if (waiting_ > 0 && waiting_ + returned_ == count_)
      report_partial_barrier();
    else
      report_deadlock();
    return false;
  }
  return true;
}

void Block::resume(Warp& warp, unsigned number) {
  Thread& thread = next_of(warp, number);
  running_thread = &thread;
  switch_fiber(scheduler_, thread.fiber);
}

Thread& Block::next_of(Warp& warp, unsigned number) {
  const unsigned lane = next_lane(warp.ready);
  warp.ready &= ~(1u << lane);
  return threads_[number * 32 + lane];
}

unsigned Block::next_lane(uint32_t ready) {
  switch (options().order) {
    case Order::kForward:
      return lowest(ready);
    case Order::kReverse:
      return highest(ready);
    case Order::kRandom:
      break;
  }
  const unsigned turn = random() % 32;
  return (lowest(std::rotr(ready, static_cast<int>(turn))) + turn) % 32;
}

uint32_t Block::random() {
  random_state_ = random_state_ * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(random_state_ >> 33);
}

// The thread that runs waits, or is ready again: the next one of its warp runs, without a detour
// by the scheduler, and the scheduler where there is none or at random.
void Block::go_on() {
  Thread& me = current_thread();
  Warp& warp = warps_[me.warp];
  const bool leaves_warp = !warp.ready || (options().order == Order::kRandom && random() % 8 == 0);
  if (leaves_warp) {
    switch_fiber(me.fiber, scheduler_);
    return;
  }
  Thread& next = next_of(warp, me.warp);
  if (&next == &me) return;
  running_thread = &next;
  switch_fiber(me.fiber, next.fiber);
}

// ---- Barriers ----

void Block::barrier(const Site& site) {
  Thread& me = current_thread();
  me.site = site;
  if (waiting_ == 0) {
    barrier_ = site;
    barrier_thread_ = me.number;
  } else if (!same(site, barrier_)) {
    stop(concat("comes to the __syncthreads of ", site, ", but thread ", barrier_thread_,
                " waits at the one of ", barrier_, ": all threads must come to the same"));
  }
  ++waiting_;
  warps_[me.warp].at_barrier |= 1u << me.lane;
  go_on();
}

void Block::pass_barrier() {
  waiting_ = 0;
  for (Warp& warp : warps_) {
    warp.ready = warp.at_barrier;
    warp.at_barrier = 0;
  }
  if (observer) observer->pass_block_barrier();
}

// ---- Warp operations ----

void Block::warp_operation(uint32_t mask, WarpFunction function, void* operand, const Site& site) {
  Thread& me = current_thread();
  Warp& warp = warps_[me.warp];
  me.site = site;
  me.mask = mask;
  me.function = function;
  me.operand = operand;
  if (!(mask >> me.lane & 1))
    stop(concat("is lane ", me.lane, ", which the mask of its ", site.operation, " of ", site,
                " leaves out"));
  warp.in_operation |= 1u << me.lane;
  const bool all_wait = (warp.in_operation & mask) == mask;
  if (all_wait && agree(me, mask)) finish_operation(warp, me);
  go_on();
}

// Whether all lanes of the mask wait for the same; lanes with another mask may be in another
// operation yet, so that they are not at fault.
bool Block::agree(const Thread& last, uint32_t mask) const {
  const Thread* lanes = &threads_[last.warp * 32];
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    const Thread& lane = lanes[lowest(rest)];
    if (lane.mask != mask || lane.function != last.function) return false;
  }
  return true;
}

void Block::finish_operation(Warp& warp, Thread& last) {
  Thread* lanes = &threads_[last.warp * 32];
  void* operands[32] = {};
  for (uint32_t rest = last.mask; rest; rest &= rest - 1) {
    const unsigned i = lowest(rest);
    if (!same(lanes[i].site, last.site))
      stop(concat("comes to the ", last.site.operation, " of ", last.site, ", but thread ",
                  lanes[i].number, " waits in the ", lanes[i].site.operation, " of ", lanes[i].site,
                  ": all lanes of the mask must come to the same"));
    operands[i] = lanes[i].operand;
  }
  last.function(operands, last.mask);
  warp.in_operation &= ~last.mask;
  warp.ready |= last.mask;
}

// ---- Faults ----

void Block::stop(std::string&& fault) {
  Thread& me = current_thread();
  report(describe(me) + " " + fault);
  std::string().swap(fault);  // the frame that owns it is never left
  stopped_ = true;
  leave_fiber(me.fiber, scheduler_);
}

std::string Block::describe(const Thread& thread) const {
  const uint3& index = running_block.index;
  return concat("[", kernel_->name, "] block (", index.x, ", ", index.y, ", ", index.z,
                "), thread ", thread.number);
}

void Block::report_partial_barrier() {
  for (unsigned i = 0; i < count_; ++i) {
    if (!(warps_[i / 32].returned >> i % 32 & 1)) continue;
    report(concat(describe(threads_[i]), " returned before the __syncthreads of ", barrier_,
                  ", where thread ", barrier_thread_, " waits: all threads must come to it"));
    return;
  }
}

// The first thread that waits in a warp operation, and what the first lane it waits for does.
void Block::report_deadlock() {
  for (unsigned i = 0; i < count_; ++i) {
    const Thread& thread = threads_[i];
    const Warp& warp = warps_[i / 32];
    if (!(warp.in_operation >> thread.lane & 1)) continue;
    for (uint32_t rest = thread.mask; rest; rest &= rest - 1) {
      const Thread& other = threads_[thread.warp * 32 + lowest(rest)];
      const bool waits_too = warp.in_operation >> other.lane & 1 && other.mask == thread.mask &&
                             other.function == thread.function;
      if (waits_too) continue;
      const bool has_returned = warp.returned >> other.lane & 1;
      report(concat(describe(thread), " waits for ever in the ", thread.site.operation, " of ",
                    thread.site, " for thread ", other.number,
                    has_returned ? ", which has returned" : ", which waits in the ",
                    has_returned ? "" : concat(other.site.operation, " of ", other.site)));
      return;
    }
  }
}

void Block::wait_for_kernel_before() { current_thread().has_waited = has_waited_ = true; }

bool Block::is_own_stack(const void* p) const {
  const Fiber& fiber = current_thread().fiber;
  return p >= fiber.stack && p < static_cast<const char*>(fiber.stack) + fiber.bytes;
}

bool Block::is_any_stack(const void* p) const {
  return p >= stacks_ && p < stacks_ + kMostThreads * kStackBytes;
}

}  // namespace shiftadd::simt
