// Contexts of execution with stacks of their own, switched by hand on one thread of the system.
#pragma once

#include <cstddef>

namespace shiftadd::simt {

/// Where a context goes on when it is switched to. The thread that switches to the first fiber is
/// described by one, too, whose fields the switch fills.
struct Fiber {
  void* position = nullptr;     // its stack pointer, or its ucontext_t
  const void* stack = nullptr;  // lowest address
  std::size_t bytes = 0;
  void* fake_frames = nullptr;  // the address sanitizer's
};

/// Makes a fiber begin in entry() on the given stack, `offset` bytes below its end: stacks that
/// end at different cache sets do not evict each other. What ran on that stack before is dropped.
/// entry() calls begin_fiber() first and leave_fiber() last.
void start_fiber(Fiber& fiber, char* stack, std::size_t bytes, std::size_t offset, void (*entry)());

void begin_fiber();
void switch_fiber(Fiber& from, Fiber& to);
[[noreturn]] void leave_fiber(Fiber& from, Fiber& to);

}  // namespace shiftadd::simt
