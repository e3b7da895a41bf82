// Hands chunks of rows to the workers, in order, and finished batches to the caller, in order.
#include "data/batch_ring.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/threads.h"

namespace shiftadd::data {

BatchRing::BatchRing(const Options& options, Work work)
    : options_(options),
      work_(std::move(work)),
      batches_((options.items + options.batch - 1) / options.batch),
      slots_(options.slots),
      released_(batches_),
      claimed_(batches_) {
  start_threads(
      threads_, options.workers, [this] { this->work(); }, [this] { stop(); }, options.workers_key);
}

BatchRing::~BatchRing() { stop(); }

void BatchRing::stop() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = stopped_ = true;
  }
  work_changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

int64_t BatchRing::rows_of(int64_t batch) const {
  return std::min(options_.batch, options_.items - batch * options_.batch);
}

void BatchRing::cancel() {
  std::unique_lock lock(mutex_);
  cancelled_ = true;
  held_ = false;
  released_ = claimed_ = batches_;
  batch_changed_.wait(lock, [&] { return busy_ == 0; });
}

void BatchRing::start(int64_t first) {
  for (int64_t batch = first; batch < std::min(batches_, first + slots()); ++batch) reset(batch);
  const std::lock_guard lock(mutex_);
  released_ = claimed_ = first;
  claimed_rows_ = 0;
  cancelled_ = false;
  work_changed_.notify_all();
}

// Readies a slot that no worker touches.
void BatchRing::reset(int64_t batch) {
  Slot& slot = slot_of(batch);
  slot.broken.assign(rows_of(batch), "");
  slot.failure = nullptr;
  slot.unfilled = rows_of(batch);
  slot.ready = false;
}

// The next chunk nobody works on; nothing when all slots are taken. Under the mutex.
std::optional<BatchRing::Chunk> BatchRing::claim() {
  if (cancelled_ || claimed_ >= std::min(batches_, released_ + slots())) return std::nullopt;
  const int64_t rows = rows_of(claimed_);
  const Chunk chunk{claimed_, claimed_rows_, std::min(claimed_rows_ + options_.chunk, rows)};
  claimed_rows_ = chunk.end;
  if (claimed_rows_ == rows) ++claimed_, claimed_rows_ = 0;
  return chunk;
}

void BatchRing::fill(Chunk& chunk) {
  Slot& slot = slot_of(chunk.batch);
  for (int64_t row = chunk.begin; row < chunk.end; ++row) {
    if (cancelled_.load(std::memory_order_relaxed)) return;
    try {
      slot.broken[row] = work_.fill(chunk.batch, row);
    } catch (...) {
      chunk.failure = std::current_exception();
      chunk.failed_row = row;
      return;
    }
  }
}

// Notes that a chunk is filled; after the last one of a batch, finishes that. Under the mutex,
// which is given back meanwhile.
void BatchRing::complete(const Chunk& chunk, std::unique_lock<std::mutex>& lock) {
  Slot& slot = slot_of(chunk.batch);
  if (chunk.failure && (!slot.failure || chunk.failed_row < slot.failed_row)) {
    slot.failure = chunk.failure;
    slot.failed_row = chunk.failed_row;
  }
  slot.unfilled -= chunk.end - chunk.begin;
  if (slot.unfilled > 0 || cancelled_) return;
  if (!slot.failure) {
    lock.unlock();
    std::exception_ptr failure;
    try {
      work_.finish(chunk.batch, slot.broken);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    slot.failure = failure;
  }
  slot.ready = true;
}

void BatchRing::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::optional<Chunk> chunk;
    work_changed_.wait(lock, [&] { return stopped_ || (chunk = claim()); });
    if (stopped_) return;
    ++busy_;
    lock.unlock();
    fill(*chunk);
    lock.lock();
    complete(*chunk, lock);
    --busy_;
    batch_changed_.notify_one();
  }
}

std::optional<BatchRing::Taken> BatchRing::take() {
  release();
  if (released_ == batches_) return std::nullopt;
  Slot& slot = slot_of(released_);
  std::unique_lock lock(mutex_, std::defer_lock);
  if (options_.workers == 0 && !slot.ready) {
    Chunk whole{released_, 0, rows_of(released_)};
    fill(whole);
    lock.lock();
    complete(whole, lock);
  } else {
    lock.lock();
  }
  batch_changed_.wait(lock, [&] { return slot.ready; });
  if (slot.failure) std::rethrow_exception(slot.failure);
  held_ = true;
  return Taken{released_, slot.broken};
}

void BatchRing::release() {
  if (!held_) return;
  if (released_ + slots() < batches_) reset(released_ + slots());
  {
    const std::lock_guard lock(mutex_);
    held_ = false;
    ++released_;
  }
  work_changed_.notify_all();
}

int64_t close_gaps(void* rows, int64_t bytes, const std::vector<std::string>& broken) {
  auto* const first = static_cast<char*>(rows);
  int64_t kept = 0;
  for (std::size_t row = 0; row < broken.size(); ++row) {
    if (!broken[row].empty()) continue;
    const auto from = static_cast<int64_t>(row);
    if (kept != from)
      std::memcpy(first + kept * bytes, first + from * bytes, static_cast<std::size_t>(bytes));
    ++kept;
  }
  return kept;
}

}  // namespace shiftadd::data
