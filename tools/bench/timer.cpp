// Summarises timed calls, and reads the clock of the processor time.
#include "tools/bench/timer.h"

#include <time.h>

#include <algorithm>

namespace shiftadd::tools {

Timing summarise(std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  const std::size_t n = ms.size();
  return {.median_ms = median_of(ms),
          .p90_ms = ms[(90 * n + 99) / 100 - 1],
          .p99_ms = ms[(99 * n + 99) / 100 - 1],
          .min_ms = ms.front(),
          .runs = static_cast<int64_t>(n)};
}

double process_cpu_ms() {  // on a busy machine this is nearer to the truth than the wall
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

}  // namespace shiftadd::tools
