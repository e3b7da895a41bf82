// Threads that the system may refuse.
#pragma once

#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#include "core/error.h"

namespace shiftadd {

/// Adds threads that run `body` until there are `count`. Where the system refuses one (limits on
/// processes or address space), stop() is called, which must end and join those begun, and Error
/// (failure) names `key`, what to lower.
inline void start_threads(std::vector<std::thread>& threads, int count,
                          const std::function<void()>& body, const std::function<void()>& stop,
                          const char* key) {
  try {
    while (static_cast<int>(threads.size()) < count) threads.emplace_back(body);
  } catch (const std::system_error& refused) {
    const std::size_t begun = threads.size();
    stop();
    throw failure("only ", begun, " of ", count, " threads could be started (", refused.what(),
                  "): lower ", key);
  }
}

}  // namespace shiftadd
