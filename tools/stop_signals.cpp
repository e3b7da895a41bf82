// Handles the signals that stop a program.
#include "tools/stop_signals.h"

#include <unistd.h>

#include <csignal>
#include <cstring>
#include <initializer_list>

#include "core/io/temporaries.h"
#include "core/progress.h"

namespace shiftadd::tools {
namespace {

constexpr unsigned kPatience = 10;  // seconds
volatile std::sig_atomic_t kept_signal = 0;

constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP};

// Of the program that a signal stops: its name, what its messages begin with, and what it finishes.
const char* stopped_program = "";
const char* stopped_start = "";
const char* stopped_work = "";

// Writes the program's name and what it does, as a handler may.
void say(std::initializer_list<const char*> what) {
  for (const char* text : {stopped_start, stopped_program})
    (void)!write(STDERR_FILENO, text, strlen(text));
  for (const char* text : what) (void)!write(STDERR_FILENO, text, strlen(text));
}

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

void name_stopped(const char* program, const char* work) {
  stopped_program = program;
  stopped_work = work;
  stopped_start = message_start();
}

void say_stopping() {
  say({": stopping after the ", stopped_work, " at work; a second signal stops at once\n"});
}

[[noreturn]] void end_at_once(int number) {
  remove_temporaries();
  say({": interrupted\n"});
  _exit(status_after(number));
}

void stop_soon(const char* program) {
  name_stopped(program);
  watch_stop_signals(
      [](int number) {
        kept_signal = number;
        alarm(kPatience);
      },
      SA_RESETHAND);
  std::signal(SIGALRM, [](int) { end_at_once(kept_signal); });
}

int stop_signal() { return kept_signal; }

void stop_at_once(const char* program) {
  name_stopped(program);
  watch_stop_signals(end_at_once, 0);
}

}  // namespace shiftadd::tools
