// Processor time, for measurements.
#pragma once

#include <time.h>

namespace shiftadd {

/// Processor time of the calling thread: what others run on the machine does not count.
inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace shiftadd
