// Honest timing: warm-up, many repetitions, median and 90th percentile; and the figures of the machine.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace shiftadd::tools {

struct Timing {
  double median_ms = 0, p90_ms = 0, min_ms = 0;
  int64_t runs = 0;
};

/// Of any number of samples >= 1; the 90th percentile is the smallest value that 90 % do not exceed.
inline Timing summarise(std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  const std::size_t n = ms.size();
  const double median = n % 2 ? ms[n / 2] : (ms[n / 2 - 1] + ms[n / 2]) / 2;
  return {median, ms[(9 * n + 9) / 10 - 1], ms.front(), static_cast<int64_t>(n)};
}

struct TimingPlan {
  double seconds = 2;  // sampling goes on for this long, but no less than min_runs, no more than max_runs
  int64_t warm_up = 3, min_runs = 10, max_runs = 2000;
};

/// Times each call of `body` apart, after `warm_up` calls that are not counted.
template <class Body>
Timing time_calls(const TimingPlan& plan, Body&& body) {
  using Clock = std::chrono::steady_clock;
  const auto milliseconds = [](Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
  for (int64_t i = 0; i < plan.warm_up; ++i) body();
  std::vector<double> samples;
  const auto begin = Clock::now();
  while (static_cast<int64_t>(samples.size()) < plan.max_runs) {
    const auto start = Clock::now();
    body();
    const auto end = Clock::now();
    samples.push_back(milliseconds(end - start));
    if (static_cast<int64_t>(samples.size()) >= plan.min_runs && milliseconds(end - begin) > 1e3 * plan.seconds)
      break;
  }
  return summarise(std::move(samples));
}

inline std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace shiftadd::tools
