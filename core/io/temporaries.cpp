// Keeps the names of unfinished files in slots from which a signal handler can remove the files.
#include "core/io/temporaries.h"

#include <limits.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

namespace shiftadd {
namespace {

// The slots are fixed, because a signal handler may neither allocate nor lock. Where more files are
// written at a time than there are slots, the others are not noted.
struct Slot {
  std::atomic<bool> taken{false}, named{false};
  char path[PATH_MAX];
};
Slot slots[16];

}  // namespace

void note_temporary(const std::string& path) {
  if (path.size() >= sizeof slots[0].path) return;
  for (Slot& slot : slots) {
    if (slot.taken.exchange(true)) continue;
    std::memcpy(slot.path, path.c_str(), path.size() + 1);
    slot.named = true;
    return;
  }
}

void forget_temporary(const std::string& path) {
  for (Slot& slot : slots) {
    if (!slot.named || path != slot.path) continue;
    slot.named = false;
    slot.taken = false;
  }
}

void remove_temporaries() {
  for (const Slot& slot : slots)
    if (slot.named) unlink(slot.path);
}

}  // namespace shiftadd
