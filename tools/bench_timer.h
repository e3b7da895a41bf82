// Honest timing: warm-up, many repetitions, median, 90th and 99th percentile; and the figures of
// the machine.
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace shiftadd::tools {

struct Timing {
  double median_ms = 0, p90_ms = 0, p99_ms = 0, min_ms = 0;
  double cpu_ms = 0;  // median processor time of all threads, where time_calls took the samples
  int64_t runs = 0;
};

inline double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/// Of any number of samples >= 1; the 90th percentile is the smallest value that 90 % do not
/// exceed, the 99th likewise.
inline Timing summarise(std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  const std::size_t n = ms.size();
  return {.median_ms = median_of(ms),
          .p90_ms = ms[(90 * n + 99) / 100 - 1],
          .p99_ms = ms[(99 * n + 99) / 100 - 1],
          .min_ms = ms.front(),
          .runs = static_cast<int64_t>(n)};
}

struct TimingPlan {
  double seconds =
      2;  // sampling goes on for this long, but no less than min_runs, no more than max_runs
  int64_t warm_up = 3, min_runs = 10, max_runs = 2000;
};

/// Times each call of `body` apart, after `warm_up` calls that are not counted.
template <class Body>
Timing time_calls(const TimingPlan& plan, Body&& body) {
  using Clock = std::chrono::steady_clock;
  const auto milliseconds = [](Clock::duration d) {
    return std::chrono::duration<double, std::milli>(d).count();
  };
  for (int64_t i = 0; i < plan.warm_up; ++i) body();
  const auto cpu_now = [] {  // on a busy machine this is nearer to the truth than the wall
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
  };
  std::vector<double> samples, cpu;
  const auto begin = Clock::now();
  while (static_cast<int64_t>(samples.size()) < plan.max_runs) {
    const double cpu_start = cpu_now();
    const auto start = Clock::now();
    body();
    const auto end = Clock::now();
    cpu.push_back(cpu_now() - cpu_start);
    samples.push_back(milliseconds(end - start));
    if (static_cast<int64_t>(samples.size()) >= plan.min_runs &&
        milliseconds(end - begin) > 1e3 * plan.seconds)
      break;
  }
  Timing timing = summarise(std::move(samples));
  timing.cpu_ms = median_of(std::move(cpu));
  return timing;
}

inline std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace shiftadd::tools
