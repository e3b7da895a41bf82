// Workers spin for a few tens of microseconds and then sleep: a barrier that spins for ever
// collapses on a shared machine, one that sleeps at once costs more than a small kernel.
#include "core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/threads.h"

namespace shiftadd {
namespace {

constexpr std::chrono::microseconds kSpin{30};

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Spins until ready() or until kSpin has passed; returns ready().
template <class Ready>
bool spin_until(Ready ready) {
  const auto stop = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < stop);
  return ready();
}

thread_local bool inside_pool = false;

// A job is open while items may be left. A worker joins an open job, the caller closes it and then
// waits only for the workers that joined: one that is still waking up delays nobody.
class Pool {
 public:
  ~Pool() { stop_workers(); }

  int threads() const { return threads_.load(std::memory_order_relaxed); }

  void resize(int threads) {
    std::lock_guard job(job_mutex_);
    stop_workers();
    threads_ = std::max(1, threads);
  }

  void run(int64_t count, FunctionRef<void(int64_t)> body) {
    std::unique_lock job(job_mutex_, std::defer_lock);
    if (count <= 1 || inside_pool || threads() == 1 || !job.try_lock()) {
      for (int64_t item = 0; item < count; ++item) body(item);
      return;
    }
    start_workers();
    body_ = &body;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    error_ = nullptr;
    open();
    inside_pool = true;
    work();
    inside_pool = false;
    close();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // gate_: the job's number, whether it is open, how many workers are in it.
  static constexpr uint64_t kOneWorker = 1, kWorkers = 0xffff, kOpen = 0x10000, kOneJob = 0x20000;

  void open() {
    // Nobody changes the gate between jobs. Sequentially consistent, like the count of sleepers:
    // either a worker that is about to sleep sees this job, or this thread sees the sleeper.
    gate_.store((gate_.load(std::memory_order_relaxed) & ~(kOpen | kWorkers)) + (kOneJob | kOpen));
    if (sleepers_.load() == 0) return;
    { std::lock_guard lock(mutex_); }  // a sleeper between its check and its wait comes to wait
    wake_.notify_all();
  }

  void close() {
    gate_.fetch_and(~kOpen, std::memory_order_acq_rel);
    const auto left = [&] { return (gate_.load(std::memory_order_acquire) & kWorkers) == 0; };
    if (spin_until(left)) return;
    std::unique_lock lock(mutex_);
    finished_.wait(lock, left);
  }

  // Enters the open job, unless it is job `seen`; then `seen` is its number.
  bool join(uint64_t& seen) {
    uint64_t gate = gate_.load();
    while ((gate & kOpen) && gate / kOneJob != seen) {
      if (!gate_.compare_exchange_weak(gate, gate + kOneWorker, std::memory_order_acq_rel))
        continue;
      seen = gate / kOneJob;
      return true;
    }
    return false;
  }

  void leave() {
    const uint64_t before = gate_.fetch_sub(kOneWorker, std::memory_order_acq_rel);
    if ((before & kOpen) || (before & kWorkers) != kOneWorker) return;
    std::lock_guard lock(mutex_);
    finished_.notify_one();
  }

  void work() {
    try {
      for (int64_t item; (item = next_.fetch_add(1, std::memory_order_relaxed)) < count_;)
        (*body_)(item);
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      next_.store(count_, std::memory_order_relaxed);
    }
  }

  void start_workers() {
    start_threads(
        workers_, threads() - 1, [this] { serve(); }, [this] { stop_workers(); }, "--threads");
  }

  void stop_workers() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    stopping_ = false;
  }

  void serve() {
    inside_pool = true;
    uint64_t seen = 0;
    bool joined = false;
    const auto called = [&] { return stopping_.load() || (joined = join(seen)); };
    for (;;) {
      joined = false;
      if (!spin_until(called)) {
        std::unique_lock lock(mutex_);
        sleepers_.fetch_add(1);
        wake_.wait(lock, called);
        sleepers_.fetch_sub(1);
      }
      if (!joined) return;
      work();
      leave();
    }
  }

  std::mutex job_mutex_;  // one parallel_for at a time
  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::vector<std::thread> workers_;
  std::atomic<int> threads_{available_cores()};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  // Apart from what is written at each item.
  alignas(64) std::atomic<uint64_t> gate_{0};
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) int64_t count_ = 0;
  const FunctionRef<void(int64_t)>* body_ = nullptr;
  std::exception_ptr error_;
};

Pool& pool() {
  static Pool instance;
  return instance;
}

}  // namespace

int available_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

void set_num_threads(int threads) { pool().resize(threads); }
int num_threads() { return pool().threads(); }
void parallel_for(int64_t count, FunctionRef<void(int64_t)> body) { pool().run(count, body); }

void parallel_chunks(int64_t n, int64_t grain, FunctionRef<void(int64_t, int64_t)> body) {
  const int64_t chunks = (n + grain - 1) / grain;
  parallel_for(chunks,
               [&](int64_t chunk) { body(chunk * grain, std::min(n, (chunk + 1) * grain)); });
}

}  // namespace shiftadd
