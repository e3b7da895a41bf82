// BatchRing: worker threads fill batches of items, in order, ahead of the thread that takes them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace shiftadd::data {

/// Says when which row of which batch is filled and which batch is taken; what a batch holds is its
/// owner's, in as many slots as the ring has: batch b lies in slot b % slots. One thread calls the
/// methods.
class BatchRing {
 public:
  struct Options {
    int64_t items =
        0;  // of all batches: batch b has items b batch to (b + 1) batch, the last fewer
    int64_t batch = 1;
    int64_t slots = 1;        // most batches that are being filled, ready or read by the caller
    int64_t chunk = 1;        // rows that a worker claims at a time
    int workers = 1;          // 0: take() fills on the caller's thread
    const char* workers_key;  // what to lower where the system refuses threads
  };
  /// What is done on the workers' threads, for different rows at once.
  struct Work {
    /// Fills a row, or returns why the row is broken. What it throws ends the batch.
    std::function<std::string(int64_t batch, int64_t row)> fill;
    /// Called once all rows of a batch are filled, with the reason of each broken row, empty for
    /// good ones; not after a throw. What it throws ends the batch, too.
    std::function<void(int64_t batch, const std::vector<std::string>& broken)> finish;
  };
  struct Taken {
    int64_t batch;
    const std::vector<std::string>& broken;  // as for finish(); until the batch is released
  };

  /// Starts the threads, which wait. Throws Error (failure) where the system refuses one.
  BatchRing(const Options& options, Work work);
  ~BatchRing();  // drops the work in hand
  BatchRing(const BatchRing&) = delete;
  BatchRing& operator=(const BatchRing&) = delete;

  int64_t batches() const { return batches_; }
  int64_t slots() const { return static_cast<int64_t>(slots_.size()); }
  int64_t rows_of(int64_t batch) const;

  /// Drops the work in hand and waits until no worker touches a slot. From here on there is no work
  /// and take() gives nothing, until start().
  void cancel();
  /// Begins at batch `first`, after a cancel() or before any start.
  void start(int64_t first = 0);
  /// Releases the batch taken before, and waits for the next one; nothing after the last. Throws
  /// what filling or finishing it threw (of the first row that did), again on each call.
  std::optional<Taken> take();
  /// Gives the slot of the batch taken last to the batch that comes into it next.
  void release();

 private:
  struct Slot {
    std::vector<std::string> broken;  // of each row
    std::exception_ptr failure;
    int64_t failed_row = 0;
    int64_t unfilled = 0;  // rows
    bool ready = false;
  };
  // Rows of one batch, and what they threw.
  struct Chunk {
    int64_t batch, begin, end;
    std::exception_ptr failure = {};
    int64_t failed_row = 0;
  };

  Slot& slot_of(int64_t batch) { return slots_[batch % slots_.size()]; }
  void reset(int64_t batch);
  std::optional<Chunk> claim();
  void fill(Chunk& chunk);
  void complete(const Chunk& chunk, std::unique_lock<std::mutex>& lock);
  void work();
  void stop();

  const Options options_;
  const Work work_;
  const int64_t batches_;
  std::mutex mutex_;
  std::condition_variable work_changed_, batch_changed_;
  std::vector<Slot> slots_;  // workers write different rows; the mutex hands a batch on
  int64_t released_ = 0;     // batches the caller is done with
  bool held_ = false;        // the caller reads the batch after those
  int64_t claimed_ = 0, claimed_rows_ = 0;  // the next chunk to hand out
  int busy_ = 0;                            // workers that touch a slot
  bool stopped_ = false;
  std::atomic<bool> cancelled_ = true;  // also before the first start
  std::vector<std::thread> threads_;    // last: they use all of the above
};

/// Moves the rows of `bytes` bytes that are not broken together, in order. How many they are.
int64_t close_gaps(void* rows, int64_t bytes, const std::vector<std::string>& broken);

}  // namespace shiftadd::data
