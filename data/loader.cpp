// The pipeline: workers claim chunks of batches in order; the caller takes finished batches in
// order.
#include "data/loader.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <unordered_set>

#include "core/random.h"
#include "core/threads.h"
#include "data/loader_parts.h"
#include "data/preprocess.h"
#include "data/sampler.h"

namespace shiftadd::data {
namespace {

constexpr uint64_t kMixStream = 0x6d6978;  // "mix"

/// A batch on its way. Workers write different rows; the pipeline's mutex hands it from thread to
/// thread.
struct Slot {
  Batch batch;       // samples and buffers are set before work starts, the rest when it ends
  int64_t rows = 0;  // before broken ones are left out
  std::vector<std::string> broken;           // a reason per row, empty for good ones
  std::vector<std::exception_ptr> failures;  // per row: what no policy may skip
  int64_t unfinished = 0;                    // rows
  bool ready = false;
};

struct Claim {
  Slot* slot;
  int64_t begin, end;
};

void check_options(const ImageFolder& dataset, const LoaderOptions& o) {
  if (o.batch < 1) throw user_error("[loader] batch is ", o.batch, ": expected 1 or more");
  if (o.workers < 0) throw user_error("[loader] workers is ", o.workers, ": expected 0 or more");
  if (o.prefetch < 1) throw user_error("[loader] prefetch is ", o.prefetch, ": expected 1 or more");
  if (o.repeated_augmentation < 1)
    throw user_error("[loader] repeated_augmentation is ", o.repeated_augmentation,
                     ": expected 1 or more");
  if (!(o.label_smoothing >= 0 && o.label_smoothing < 1))
    throw user_error("[loader] label_smoothing is ", o.label_smoothing, ": expected 0 to below 1");
  if (o.broken == BrokenPolicy::kQuarantine && o.quarantine_file.empty())
    throw user_error("[loader] the policy quarantine needs a file to write the list to");
  if (o.training && dataset.size() < o.batch)
    throw user_error(dataset.path(), ": ", dataset.size(),
                     " training images do not fill one batch of ", o.batch,
                     ": choose a smaller batch");
  if (o.training) validate(o.augment, "augment");
}

}  // namespace

struct Loader::Impl {
  Impl(const ImageFolder& data, LoaderOptions chosen)
      : dataset(data),
        options(std::move(chosen)),
        cache(dataset.size(), options.cache_bytes),
        log(options.broken == BrokenPolicy::kQuarantine ? options.quarantine_file : ""),
        slots(options.workers ? options.prefetch : 1) {
    const int64_t side = options.preprocess.crop;
    floats_per_image = 3 * side * side;
    classes = static_cast<int64_t>(dataset.classes().size());
    batches = options.training ? dataset.size() / options.batch
                               : (dataset.size() + options.batch - 1) / options.batch;
    // Some chunks per worker, so that all of them help with the batch that is due; at most 16 rows,
    // so that a change of epoch waits little; the lock is taken once a chunk.
    chunk = std::clamp<int64_t>(options.batch / (2 * std::max(options.workers, 1)), 1, 16);
    delivered = claimed = batches;  // nothing to do before start()
    start_threads(
        workers, options.workers, [this] { work(); }, [this] { stop(); }, "data.workers");
  }

  ~Impl() { stop(); }

  void stop() {
    end_epoch(true);
    for (std::thread& worker : workers) worker.join();
    workers.clear();
  }

  // ---- one image ----

  void load_row(const Slot& slot, int64_t row, float* out) {
    const int64_t sample = slot.batch.samples[row];
    Image decoded;
    const Image* image = cache.find(sample);
    if (!image) {
      decoded = decode_image(dataset.read(sample, options.limits), dataset.full_name(sample),
                             options.preprocess.exif_orientation, options.limits);
      image = cache.keep(sample, decoded);
    }
    if (!options.training) return preprocess_image(*image, options.preprocess, out);
    const int64_t position = slot.batch.index * options.batch + row;
    Random random(options.seed, stream_of(epoch, position));
    augment_image(*image, options.augment, options.preprocess, random, out);
  }

  void process(Slot& slot, int64_t begin, int64_t end) {
    float* images = slot.batch.images.data<float>();
    for (int64_t row = begin; row < end && !abandoned.load(std::memory_order_relaxed); ++row) {
      try {
        load_row(slot, row, images + row * floats_per_image);
      } catch (const Error& error) {
        const std::string name = dataset.full_name(slot.batch.samples[row]);
        std::string reason = error.what();
        if (!reason.starts_with(name)) reason = name + ": " + reason;
        // Only an image can be broken; a failing disk or exhausted memory ends the run under every
        // policy.
        if (error.kind() == Error::Kind::kFailure || options.broken == BrokenPolicy::kFail)
          slot.failures[row] = std::make_exception_ptr(Error(error.kind(), reason));
        else
          slot.broken[row] = reason;
      } catch (...) {
        slot.failures[row] = std::current_exception();
      }
    }
  }

  // ---- one batch ----

  /// Assigns a batch to its slot; on the caller's thread, which is the one that releases buffers.
  void prepare(int64_t index) {
    Slot& slot = slots[index % slots.size()];
    slot.batch = {};
    slot.batch.index = index;
    slot.rows = std::min(options.batch, dataset.size() - index * options.batch);
    const auto from = order.begin() + index * options.batch;
    slot.batch.samples.assign(from, from + slot.rows);
    slot.broken.assign(slot.rows, "");
    slot.failures.assign(slot.rows, nullptr);
    slot.unfinished = slot.rows;
    slot.ready = false;
    const Buffers& free = buffers.take([this] {
      return Buffers{Tensor({options.batch, 3, options.preprocess.crop, options.preprocess.crop}),
                     options.training ? Tensor({options.batch, classes}) : Tensor()};
    });
    slot.batch.images = free.images;
    slot.batch.targets = free.targets;
  }

  /// All rows are done: closes the gaps of broken ones, then labels, targets, mixing.
  void finish(Slot& slot) {
    Batch& batch = slot.batch;
    float* images = batch.images.data<float>();
    int64_t kept = 0;
    for (int64_t row = 0; row < slot.rows; ++row) {
      if (slot.failures[row]) return;  // next() throws it
      if (!slot.broken[row].empty()) continue;
      if (kept != row)
        std::memcpy(images + kept * floats_per_image, images + row * floats_per_image,
                    floats_per_image * sizeof(float));
      batch.labels.push_back(dataset.label(batch.samples[row]));
      ++kept;
    }
    if (kept == 0) return;
    if (kept != options.batch) batch.images = batch.images.slice(0, kept);
    if (!options.training) return;
    if (kept != options.batch) batch.targets = batch.targets.slice(0, kept);
    float* targets = batch.targets.data<float>();
    const double off = options.label_smoothing / static_cast<double>(classes);
    std::fill_n(targets, kept * classes, static_cast<float>(off));
    for (int64_t row = 0; row < kept; ++row)
      targets[row * classes + batch.labels[row]] =
          static_cast<float>(1 - options.label_smoothing + off);
    if (options.mix.mixup_alpha > 0 || options.mix.cutmix_alpha > 0) {
      Random random(options.seed, stream_of(epoch, batch.index, kMixStream));
      const int64_t side = options.preprocess.crop;
      mix_batch(options.mix, random, kept, 3, side, side, images, classes, targets);
    }
  }

  /// finish(), whose own failure also belongs to the batch.
  void finish_guarded(Slot& slot) {
    try {
      finish(slot);
    } catch (...) {
      slot.failures[0] = std::current_exception();
    }
  }

  // ---- the pipeline ----

  /// The next chunk nobody works on; nothing when all slots are taken. Under the mutex.
  std::optional<Claim> claim() {
    const int64_t limit = std::min(batches, delivered + static_cast<int64_t>(slots.size()));
    if (abandoned || claimed >= limit) return std::nullopt;
    Slot& slot = slots[claimed % slots.size()];
    const Claim result{&slot, claimed_rows, std::min(claimed_rows + chunk, slot.rows)};
    claimed_rows = result.end;
    if (claimed_rows == slot.rows) ++claimed, claimed_rows = 0;
    return result;
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      std::optional<Claim> mine;
      work_changed.wait(lock, [&] { return stopped || (mine = claim()); });
      if (stopped) return;
      ++busy;
      lock.unlock();
      process(*mine->slot, mine->begin, mine->end);
      lock.lock();
      mine->slot->unfinished -= mine->end - mine->begin;
      if (mine->slot->unfinished == 0 && !abandoned) {
        lock.unlock();
        finish_guarded(*mine->slot);
        lock.lock();
        mine->slot->ready = true;
      }
      --busy;
      batch_changed.notify_one();
    }
  }

  /// Waits until no worker touches a slot. From here on there is no work and next() has nothing to
  /// give, until start(), or, `for_ever`, at all.
  void end_epoch(bool for_ever = false) {
    std::unique_lock lock(mutex);
    abandoned = true;
    stopped = for_ever;
    delivered = claimed = batches;
    work_changed.notify_all();
    batch_changed.wait(lock, [&] { return busy == 0; });
  }

  void start(int64_t new_epoch, int64_t first) {
    if (new_epoch < 0 || first < 0 || first > batches)
      throw user_error("[loader] epoch ", new_epoch, ", batch ", first, ": an epoch of ",
                       dataset.path(), " has ", batches, " batches");
    end_epoch();
    epoch = new_epoch;
    if (options.training) {
      order = epoch_order(dataset.size(), options.repeated_augmentation, options.seed, epoch);
    } else if (order.empty()) {
      order.resize(dataset.size());
      std::iota(order.begin(), order.end(), int64_t{0});
    }
    for (Slot& slot : slots) slot.batch = {};  // gives its buffers back
    for (int64_t i = first; i < std::min(batches, first + static_cast<int64_t>(slots.size())); ++i)
      prepare(i);
    const std::lock_guard lock(mutex);
    delivered = claimed = first;
    claimed_rows = 0;
    abandoned = false;
    work_changed.notify_all();
  }

  std::optional<Batch> next() {
    while (delivered < batches) {
      Slot& slot = slots[delivered % slots.size()];
      if (options.workers == 0 && !slot.ready) {
        process(slot, 0, slot.rows);
        finish_guarded(slot);
        slot.ready = true;
      }
      {
        std::unique_lock lock(mutex);
        batch_changed.wait(lock, [&] { return slot.ready; });
      }
      for (const std::exception_ptr& failure : slot.failures)
        if (failure) std::rethrow_exception(failure);
      leave_out_broken(slot);
      Batch batch = std::move(slot.batch);
      try {
        const int64_t next_index = delivered + static_cast<int64_t>(slots.size());
        if (next_index < batches) prepare(next_index);
      } catch (...) {  // no memory
        end_epoch();
        throw;
      }
      {
        const std::lock_guard lock(mutex);
        ++delivered;
      }
      work_changed.notify_all();
      if (!batch.labels.empty()) return batch;
    }
    return std::nullopt;
  }

  void leave_out_broken(Slot& slot) {
    Batch& batch = slot.batch;
    if (static_cast<int64_t>(batch.labels.size()) == slot.rows) return;
    std::vector<int64_t> kept;
    for (int64_t row = 0; row < slot.rows; ++row) {
      const int64_t sample = batch.samples[row];
      if (slot.broken[row].empty()) {
        kept.push_back(sample);
      } else if (known_broken.insert(sample).second) {
        log.add(dataset.full_name(sample));
        if (options.warn) options.warn("broken image left out: " + slot.broken[row]);
      }
    }
    batch.samples = std::move(kept);
  }

  const ImageFolder dataset;
  const LoaderOptions options;
  int64_t floats_per_image = 0, classes = 0, batches = 0, chunk = 1;
  ImageCache cache;
  BufferPool buffers;
  QuarantineList log;
  std::unordered_set<int64_t> known_broken;

  int64_t epoch = 0;           // these two change only while no worker is busy
  std::vector<int64_t> order;  // sample of each position in the epoch

  std::mutex mutex;
  std::condition_variable work_changed, batch_changed;
  std::vector<Slot> slots;                // batch b travels in slot b % slots
  int64_t delivered = 0;                  // batches the caller has taken; only the caller writes it
  int64_t claimed = 0, claimed_rows = 0;  // the next chunk to hand out
  int busy = 0;
  bool stopped = false;
  std::atomic<bool> abandoned = false;  // set: drop the work in hand
  std::vector<std::thread> workers;     // last: the threads use all of the above
};

Loader::Loader(const ImageFolder& dataset, LoaderOptions options) {
  check_options(dataset, options);
  impl_ = std::make_unique<Impl>(dataset, std::move(options));
}

Loader::~Loader() = default;

int64_t Loader::batches() const { return impl_->batches; }
void Loader::start(int64_t epoch, int64_t first) { impl_->start(epoch, first); }
std::optional<Batch> Loader::next() { return impl_->next(); }
int64_t Loader::broken_count() const { return static_cast<int64_t>(impl_->known_broken.size()); }

}  // namespace shiftadd::data
