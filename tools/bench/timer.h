// Honest timing: warm-up, many repetitions, median, 90th and 99th percentile.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/median.h"

namespace shiftadd::tools {

struct Timing {
  double median_ms = 0, p90_ms = 0, p99_ms = 0, min_ms = 0;
  double cpu_ms = 0;  // median processor time of all threads, where time_calls took the samples
  int64_t runs = 0;
};

/// Of any number of samples >= 1; the 90th percentile is the smallest value that 90 % do not
/// exceed, the 99th likewise.
Timing summarise(std::vector<double> ms);

/// Milliseconds of processor time that all threads of this process have taken so far.
double process_cpu_ms();

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
  std::vector<double> samples, cpu;
  const auto begin = Clock::now();
  while (static_cast<int64_t>(samples.size()) < plan.max_runs) {
    const double cpu_start = process_cpu_ms();
    const auto start = Clock::now();
    body();
    const auto end = Clock::now();
    cpu.push_back(process_cpu_ms() - cpu_start);
    samples.push_back(milliseconds(end - start));
    if (static_cast<int64_t>(samples.size()) >= plan.min_runs &&
        milliseconds(end - begin) > 1e3 * plan.seconds)
      break;
  }
  Timing timing = summarise(std::move(samples));
  timing.cpu_ms = median_of(std::move(cpu));
  return timing;
}

/// Work a second, in 1e9, of a `body` that does `work` in a call: that of the best call, for on a
/// busy machine only some are undisturbed.
template <class Body>
double best_call_rate(const TimingPlan& plan, double work, Body&& body) {
  return work / (time_calls(plan, body).min_ms * 1e6);
}

}  // namespace shiftadd::tools
