// Runs what reaches a ceiling on several cores at the same moment, and times it.
#include "tools/bench/ceiling.h"

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "tools/bench/timer.h"

namespace shiftadd::tools {
namespace {

// Keeps the calling thread on one of the cores that the process may use, for the life of this
// object.
class OnCore {
 public:
  explicit OnCore(int index) {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &before_) && index-- == 0) CPU_SET(core, &one);
    sched_setaffinity(0, sizeof one, &one);
  }
  ~OnCore() { sched_setaffinity(0, sizeof before_, &before_); }
  OnCore(const OnCore&) = delete;
  OnCore& operator=(const OnCore&) = delete;

 private:
  cpu_set_t before_;
};

}  // namespace

double best_rate(const PeakPlan& plan, double work, const std::function<void(int)>& body) {
  const TimingPlan timing = {.seconds = plan.seconds, .max_runs = 100'000};
  if (plan.threads == 1) return best_call_rate(timing, work, [&] { body(0); });
  // Not the pool: its threads come when they can, and who is there does the work of all. These wait
  // for each other, awake: on a busy machine they seldom run at the same time as it is.
  std::atomic<int64_t> begun{0}, finished{0};
  std::atomic<bool> over{false};
  const auto wait_for = [](const std::atomic<int64_t>& count, int64_t number) {
    while (count < number) {
    }
  };
  const auto run = [&](int thread) {
    body(thread);
    ++finished;
  };
  std::vector<std::jthread> others;
  for (int thread = 1; thread < plan.threads; ++thread)
    others.emplace_back([&, thread] {
      const OnCore core(thread);
      for (int64_t call = 1;; ++call) {
        wait_for(begun, call);
        if (over) return;
        run(thread);
      }
    });
  const OnCore core(0);
  const double rate = best_call_rate(timing, work * plan.threads, [&] {
    ++begun;
    run(0);
    wait_for(finished, begun * plan.threads);
  });
  over = true;
  ++begun;
  return rate;
}

}  // namespace shiftadd::tools
