// The switch between fibers: 20 instructions on x86-64, ucontext (ten times slower) elsewhere.
#include "cuda/simt/fiber.h"

#include <cstdint>
#include <cstdlib>
#if !defined(__x86_64__)
#include <ucontext.h>

#include <new>
#endif
#include "cuda/simt/address_sanitizer.h"

#if defined(__x86_64__)
// Saves what a function must preserve on the stack it leaves, and takes the same from the stack it
// goes to. The control words of the floating-point units are the same in all fibers.
asm(R"(
.text
.globl shiftadd_simt_switch
.type shiftadd_simt_switch, @function
shiftadd_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size shiftadd_simt_switch, .-shiftadd_simt_switch
)");
extern "C" void shiftadd_simt_switch(void** from, void* to);
#endif

namespace shiftadd::simt {
namespace {

// Who switched last: the sanitizer tells the bounds of that stack at the other end.
Fiber* previous = nullptr;

#if defined(__x86_64__)

void prepare(Fiber& fiber, char* stack, std::size_t bytes, void (*entry)()) {
  constexpr int kSavedRegisters = 6;
  auto end = reinterpret_cast<uintptr_t>(stack + bytes) & ~uintptr_t{15};
  auto* top = reinterpret_cast<void**>(end);
  *--top = nullptr;  // where entry() would return to
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < kSavedRegisters; ++i) *--top = nullptr;
  fiber.position = top;
}

void jump(Fiber& from, Fiber& to) { shiftadd_simt_switch(&from.position, to.position); }

#else

// The contexts of fibers lie at the lower ends of their stacks; that of a thread is made once.
void prepare(Fiber& fiber, char* stack, std::size_t bytes, void (*entry)()) {
  auto* context = new (stack) ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = stack + sizeof(ucontext_t);
  context->uc_stack.ss_size = bytes - sizeof(ucontext_t);
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
  fiber.position = context;
}

void jump(Fiber& from, Fiber& to) {
  static ucontext_t of_thread;
  if (!from.position) from.position = &of_thread;
  swapcontext(static_cast<ucontext_t*>(from.position), static_cast<ucontext_t*>(to.position));
}

#endif

}  // namespace

void start_fiber(Fiber& fiber, char* stack, std::size_t bytes, std::size_t offset,
                 void (*entry)()) {
  fiber = {nullptr, stack, bytes, nullptr};
  prepare(fiber, stack, bytes - offset, entry);
}

void begin_fiber() {
  SIMT_IF_ASAN(__sanitizer_finish_switch_fiber(nullptr, &previous->stack, &previous->bytes));
}

void switch_fiber(Fiber& from, Fiber& to) {
  previous = &from;
  SIMT_IF_ASAN(__sanitizer_start_switch_fiber(&from.fake_frames, to.stack, to.bytes));
  jump(from, to);
  SIMT_IF_ASAN(
      __sanitizer_finish_switch_fiber(from.fake_frames, &previous->stack, &previous->bytes));
}

void leave_fiber(Fiber& from, Fiber& to) {
  previous = &from;
  SIMT_IF_ASAN(__sanitizer_start_switch_fiber(nullptr, to.stack, to.bytes));
  jump(from, to);
  std::abort();  // nobody switches to a fiber that has been left
}

}  // namespace shiftadd::simt
