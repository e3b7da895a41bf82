// Handles the signals that stop a program.
#include "tools/stop_signals.h"

#include <unistd.h>

#include <csignal>
#include <cstring>

#include "core/io/temporaries.h"
#include "core/progress.h"

namespace shiftadd::tools {
namespace {

constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP};

// Of the program that end_at_once ends: its name, and what its message begins with.
const char* stopped_program = "";
const char* stopped_start = "";

}  // namespace

void watch_stop_signals(void (*handler)(int), int flags) {
  for (const int number : kStopSignals) {
    struct sigaction action = {};
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(number, &action, nullptr);
  }
}

int status_after(int signal) { return 128 + signal; }

const char* message_start() { return stderr_is_terminal() ? "\r\033[K" : ""; }

void name_stopped(const char* program) {
  stopped_program = program;
  stopped_start = message_start();
}

[[noreturn]] void end_at_once(int number) {
  const auto say = [](const char* text) { (void)!write(STDERR_FILENO, text, strlen(text)); };
  remove_temporaries();
  say(stopped_start), say(stopped_program), say(": interrupted\n");
  _exit(status_after(number));
}

void stop_at_once(const char* program) {
  name_stopped(program);
  watch_stop_signals(end_at_once, 0);
}

}  // namespace shiftadd::tools
