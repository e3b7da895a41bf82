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

/// For programs with nothing to save: a stop signal ends them at once, with a line on stderr and
/// without files begun.
inline void stop_at_once(const char* program) {
  static const char* name = nullptr;
  static const char* start = nullptr;
  name = program, start = message_start();
  watch_stop_signals(
      [](int number) {
        const auto say = [](const char* text) { (void)!write(STDERR_FILENO, text, strlen(text)); };
        remove_temporaries();
        say(start), say(name), say(": interrupted\n");
        _exit(status_after(number));
      },
      0);
}

}  // namespace shiftadd::tools
