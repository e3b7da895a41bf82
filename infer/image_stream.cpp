// Lets worker threads decode images into a ring of batches, and hands the batches out in order.
#include "infer/image_stream.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "core/memory_limit.h"
#include "core/threads.h"
#include "data/preprocess.h"
#include "data/read_image.h"

namespace shiftadd::infer {
namespace {

constexpr int64_t kBatchesAhead = 3;  // one with the engine, one ready, one in the making

}  // namespace

ImageSource source_of_files(std::vector<std::string> paths) {
  const auto shared = std::make_shared<const std::vector<std::string>>(std::move(paths));
  ImageSource source;
  source.count = static_cast<int64_t>(shared->size());
  source.name = [shared](int64_t item) { return (*shared)[item]; };
  source.read = [shared](int64_t item, const data::DecodeLimits& limits) {
    return data::read_image((*shared)[item], limits);
  };
  return source;
}

ImageSource source_of_set(const data::ImageFolder& set) {
  return {
      set.size(), [&set](int64_t item) { return set.name(item); },
      [&set](int64_t item, const data::DecodeLimits& limits) { return set.read(item, limits); }};
}

struct ImageStream::Impl {
  // A slot holds one batch of the ring: its pixels, and what became of each item.
  struct Slot {
    Tensor images;
    std::vector<std::string> reasons;  // per item; empty: decoded
    int64_t done = 0;
  };

  Impl(ImageSource from, const Preprocess& how, int64_t batch_size, int workers,
       const data::DecodeLimits& bounds)
      : source(std::move(from)),
        preprocess(how),
        limits(bounds),
        batch(batch_size),
        batches((source.count + batch - 1) / batch) {
    const int64_t rows = std::min(batch, source.count);
    const auto side = static_cast<double>(preprocess.crop);
    require_memory(concat("reading batches of ", rows, " images"),
                   {{"their pixels",
                     static_cast<double>(std::min(kBatchesAhead, batches) * rows) * 3 * side *
                         side * sizeof(float),
                     "--batch, or the network's image_size"}});
    for (int64_t i = 0; i < std::min(kBatchesAhead, batches); ++i)
      ring.push_back(
          {Tensor({rows, 3, preprocess.crop, preprocess.crop}), std::vector<std::string>(rows), 0});
    start_threads(
        threads, workers, [this] { work(); }, [this] { stop(); }, "--workers");
  }

  ~Impl() { stop(); }

  void stop() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    work_ready.notify_all();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  Slot& slot_of(int64_t index) { return ring[index % ring.size()]; }
  int64_t size_of_batch(int64_t index) const {
    return std::min(batch, source.count - index * batch);
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      work_ready.wait(lock, [&] { return stopping || next_item >= source.count || may_decode(); });
      if (stopping || next_item >= source.count) return;
      const int64_t item = next_item++;
      Slot& slot = slot_of(item / batch);
      lock.unlock();
      std::string reason;
      std::exception_ptr problem;
      try {
        const int64_t values = 3 * preprocess.crop * preprocess.crop;
        reason = decode(item, slot.images.data<float>() + item % batch * values);
      } catch (...) {
        problem = std::current_exception();
      }
      lock.lock();
      if (problem && !failed) failed = problem;
      slot.reasons[item % batch] = std::move(reason);
      if (++slot.done == size_of_batch(item / batch) || failed) batch_ready.notify_one();
    }
  }

  // An item may be decoded when its batch's slot is no longer read by anybody.
  bool may_decode() const {
    return next_item / batch < taken + static_cast<int64_t>(ring.size()) - held;
  }

  std::string decode(int64_t item, float* out) const {
    try {
      const std::vector<uint8_t> bytes = source.read(item, limits);
      data::preprocess_image(
          data::decode_image(bytes, source.name(item), preprocess.exif_orientation, limits),
          preprocess, out);
      return {};
    } catch (const Error& error) {
      if (error.kind() != Error::Kind::kUser) throw;
      return error.what();
    }
  }

  std::optional<ImageBatch> next() {
    std::unique_lock lock(mutex);
    if (held) {  // the engine is done with the last batch: its slot is free again
      held = 0;
      work_ready.notify_all();
    }
    if (taken == batches) return std::nullopt;
    Slot& slot = slot_of(taken);
    const int64_t size = size_of_batch(taken);
    batch_ready.wait(lock, [&] { return slot.done == size || failed; });
    if (failed) std::rethrow_exception(failed);
    ImageBatch result;
    const int64_t values = 3 * preprocess.crop * preprocess.crop;
    float* pixels = slot.images.data<float>();
    for (int64_t row = 0; row < size; ++row) {
      if (!slot.reasons[row].empty()) {
        result.broken.push_back({taken * batch + row, std::move(slot.reasons[row])});
        continue;
      }
      const int64_t to = static_cast<int64_t>(result.items.size());
      if (to != row)
        std::memcpy(pixels + to * values, pixels + row * values, values * sizeof(float));
      result.items.push_back(taken * batch + row);
    }
    result.images = slot.images.slice(0, static_cast<int64_t>(result.items.size()));
    slot.done = 0;
    ++taken;
    held = 1;
    return result;
  }

  const ImageSource source;
  const Preprocess preprocess;
  const data::DecodeLimits limits;
  const int64_t batch, batches;
  std::vector<Slot> ring;
  std::mutex mutex;
  std::condition_variable work_ready, batch_ready;
  int64_t next_item = 0, taken = 0;  // items handed to workers; batches handed to the engine
  int64_t held = 0;                  // 1: the engine still reads the batch last taken
  bool stopping = false;
  std::exception_ptr failed;
  std::vector<std::thread> threads;
};

ImageStream::ImageStream(ImageSource source, const Preprocess& preprocess, int64_t batch,
                         int workers, const data::DecodeLimits& limits)
    : impl_(std::make_unique<Impl>(std::move(source), preprocess, batch, workers, limits)) {}
ImageStream::~ImageStream() = default;
std::optional<ImageBatch> ImageStream::next() { return impl_->next(); }

}  // namespace shiftadd::infer
