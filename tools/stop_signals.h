// Ctrl-C, SIGTERM and the end of the terminal: how programs stop.
#pragma once

namespace shiftadd::tools {

/// Gives each of the stop signals to `handler`, but those that are ignored already (nohup, a
/// shell's background job). `flags`: of sigaction.
void watch_stop_signals(void (*handler)(int), int flags);

/// 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, as shells count.
int status_after(int signal);

/// What a terminal shows of Ctrl-C, and a bar under way, go: the message is a line of its own.
const char* message_start();

/// Tells the handlers' messages the name of the program, and what is finished before it stops.
void name_stopped(const char* program, const char* work = "step");

/// In a handler, after name_stopped: says that the step (or other work) at work is finished first.
void say_stopping();

/// A handler, after name_stopped: a line on stderr, no files begun, the status of the signal.
[[noreturn]] void end_at_once(int number);

/// For programs that keep what is finished: they ask stop_signal() between two pieces of work. The
/// piece at work has ten seconds to end; then, or at the same signal again, the program does.
void stop_soon(const char* program);
/// The signal that came after stop_soon(); 0: none.
int stop_signal();

/// For programs with nothing to save: a stop signal ends them at once.
void stop_at_once(const char* program);

}  // namespace shiftadd::tools
