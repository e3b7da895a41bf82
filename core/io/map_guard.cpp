// Remembers which file is mapped where, and handles SIGBUS: it names the file that was cut short
// and ends the process. The handler may run at any instruction: it reads atomics, removes files
// that are not whole, and calls write and _exit.
#include "core/io/map_guard.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "core/io/temporaries.h"

namespace shiftadd {
namespace {

constexpr std::size_t kLongestPath = 1023, kLongestName = 63;

struct Map {
  std::atomic<bool> taken{false};
  std::atomic<uintptr_t> start{0};  // 0: not filled in yet
  std::size_t size = 0;
  char path[kLongestPath + 1];
};
Map maps[256];
char program_name[kLongestName + 1];

void copy_text(const std::string& from, char* to, std::size_t most) {
  const std::size_t length = std::min(from.size(), most);
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

void say(const char* text) { (void)!write(STDERR_FILENO, text, std::strlen(text)); }

void on_bus_error(int signal, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<uintptr_t>(info->si_addr);
  for (const Map& map : maps) {
    const uintptr_t start = map.start.load(std::memory_order_acquire);
    if (start == 0 || at < start || at - start >= map.size) continue;
    say(program_name);
    say(": error: ");
    say(map.path);
    say(": was cut short, or could not be read, while it was in use: put the whole file back and "
        "start again\n");
    remove_temporaries();
    _exit(1);
  }
  ::signal(signal, SIG_DFL);  // no file of ours: the instruction faults again, and ends the process
}

}  // namespace

void guard_maps(const std::string& program) {
  copy_text(program, program_name, kLongestName);
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

void note_map(const void* start, std::size_t size, const std::string& path) {
  for (Map& map : maps) {
    if (map.taken.exchange(true)) continue;
    map.size = size;
    copy_text(path, map.path, kLongestPath);
    map.start.store(reinterpret_cast<uintptr_t>(start), std::memory_order_release);
    return;
  }
}

void forget_map(const void* start) {
  for (Map& map : maps)
    if (map.start.load() == reinterpret_cast<uintptr_t>(start)) {
      map.start = 0;
      map.taken = false;
      return;
    }
}

}  // namespace shiftadd
