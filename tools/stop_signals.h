// Ctrl-C, SIGTERM and the end of the terminal: how programs stop.
#pragma once

#include <unistd.h>

#include <csignal>
#include <cstring>

#include "core/io/temporaries.h"
#include "core/progress.h"

namespace shiftadd::tools {

inline constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP};

/// Gives each of the stop signals to `handler`, but those that are ignored already (nohup, a
/// shell's background job). `flags`: of sigaction.
inline void watch_stop_signals(void (*handler)(int), int flags) {
  for (const int number : kStopSignals) {
    struct sigaction action = {};
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(number, &action, nullptr);
  }
}

/// 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, as shells count.
inline int status_after(int signal) { return 128 + signal; }

/// What a terminal shows of Ctrl-C, and a bar under way, go: the message is a line of its own.
inline const char* message_start() { return stderr_is_terminal() ? "\r\033[K" : ""; }

/// Of the program that end_at_once ends: its name, and what its message begins with.
inline const char* stopped_program = "";
inline const char* stopped_start = "";
inline void name_stopped(const char* program) {
  stopped_program = program;
  stopped_start = message_start();
}

/// A handler, after name_stopped: a line on stderr, no files begun, the status of the signal.
[[noreturn]] inline void end_at_once(int number) {
  const auto say = [](const char* text) { (void)!write(STDERR_FILENO, text, strlen(text)); };
  remove_temporaries();
  say(stopped_start), say(stopped_program), say(": interrupted\n");
  _exit(status_after(number));
}

/// For programs with nothing to save: a stop signal ends them at once.
inline void stop_at_once(const char* program) {
  name_stopped(program);
  watch_stop_signals(end_at_once, 0);
}

}  // namespace shiftadd::tools
