// Decodes, augments and mixes the batches of an epoch, each in its slot of the ring.
#include "data/loader.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "core/random.h"
#include "data/batch_ring.h"
#include "data/loader_parts.h"
#include "data/preprocess.h"
#include "data/sampler.h"

namespace shiftadd::data {
namespace {

constexpr uint64_t kMixStream = 0x6d6978;  // "mix"

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

// Training leaves out a last batch that is not full.
BatchRing::Options ring_options(int64_t images, int64_t slots, const LoaderOptions& o) {
  return {.items = o.training ? images / o.batch * o.batch : images,
          .batch = o.batch,
          .slots = slots,
          // Some chunks per worker, so that all of them help with the batch that is due; at most 16
          // rows, so that a change of epoch waits little.
          .chunk = std::clamp<int64_t>(o.batch / (2 * std::max(o.workers, 1)), 1, 16),
          .workers = o.workers,
          .workers_key = "data.workers"};
}

}  // namespace

struct Loader::Impl {
  Impl(const ImageFolder& data, LoaderOptions chosen)
      : dataset(data),
        options(std::move(chosen)),
        floats_per_image(options.preprocess.values()),
        classes(static_cast<int64_t>(dataset.classes().size())),
        cache(dataset.size(), options.cache_bytes),
        log(options.broken == BrokenPolicy::kQuarantine ? options.quarantine_file : ""),
        slots(options.workers ? options.prefetch : 1),
        ring(ring_options(dataset.size(), static_cast<int64_t>(slots.size()), options),
             {.fill = [this](int64_t batch, int64_t row) { return fill(batch, row); },
              .finish = [this](int64_t batch, const auto& broken) { finish(batch, broken); }}) {}

  Batch& slot_of(int64_t batch) { return slots[batch % slots.size()]; }

  // ---- on the workers' threads ----

  void load_row(const Batch& batch, int64_t row, float* out) {
    const int64_t sample = batch.samples[row];
    Image decoded;
    const Image* image = cache.find(sample);
    if (!image) {
      decoded = decode_image(dataset.read(sample, options.limits), dataset.full_name(sample),
                             options.preprocess.exif_orientation, options.limits);
      image = cache.keep(sample, decoded);
    }
    if (!options.training) return preprocess_image(*image, options.preprocess, out);
    const int64_t position = batch.index * options.batch + row;
    Random random(options.seed, stream_of(epoch, position));
    augment_image(*image, options.augment, options.preprocess, random, out);
  }

  /// The reason of a broken image that the policy leaves out.
  std::string fill(int64_t index, int64_t row) {
    Batch& batch = slot_of(index);
    try {
      load_row(batch, row, batch.images.data<float>() + row * floats_per_image);
      return {};
    } catch (const Error& error) {
      const std::string name = dataset.full_name(batch.samples[row]);
      std::string reason = error.what();
      if (!reason.starts_with(name)) reason = name + ": " + reason;
      // Only an image can be broken; a failing disk or exhausted memory ends the run under every
      // policy.
      if (error.kind() == Error::Kind::kFailure || options.broken == BrokenPolicy::kFail)
        throw Error(error.kind(), reason);
      return reason;
    }
  }

  /// All rows are done: closes the gaps of broken ones, then labels, targets, mixing.
  void finish(int64_t index, const std::vector<std::string>& broken) {
    Batch& batch = slot_of(index);
    float* images = batch.images.data<float>();
    const int64_t kept = close_gaps(images, floats_per_image * sizeof(float), broken);
    for (std::size_t row = 0; row < broken.size(); ++row)
      if (broken[row].empty()) batch.labels.push_back(dataset.label(batch.samples[row]));
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
      const Preprocess& p = options.preprocess;
      mix_batch(options.mix, random, kept, p.channels(), p.crop.height, p.crop.width, images,
                classes, targets);
    }
  }

  // ---- on the caller's thread, which is the one that releases buffers ----

  /// Puts a batch into its slot, to be filled.
  void prepare(int64_t index) {
    Batch& batch = slot_of(index);
    batch = {};
    batch.index = index;
    const auto from = order.begin() + index * options.batch;
    batch.samples.assign(from, from + ring.rows_of(index));
    const Buffers& free = buffers.take([this] {
      return Buffers{Tensor(options.preprocess.batch_shape(options.batch)),
                     options.training ? Tensor({options.batch, classes}) : Tensor()};
    });
    batch.images = free.images;
    batch.targets = free.targets;
  }

  void start(int64_t new_epoch, int64_t first) {
    if (new_epoch < 0 || first < 0 || first > ring.batches())
      throw user_error("[loader] epoch ", new_epoch, ", batch ", first, ": an epoch of ",
                       dataset.path(), " has ", ring.batches(), " batches");
    ring.cancel();
    epoch = new_epoch;
    if (options.training) {
      order = epoch_order(dataset.size(), options.repeated_augmentation, options.seed, epoch);
    } else if (order.empty()) {
      order.resize(dataset.size());
      std::iota(order.begin(), order.end(), int64_t{0});
    }
    for (Batch& batch : slots) batch = {};  // gives its buffers back
    for (int64_t i = first; i < std::min(ring.batches(), first + ring.slots()); ++i) prepare(i);
    ring.start(first);
  }

  std::optional<Batch> next() {
    while (const auto taken = ring.take()) {
      Batch batch = std::move(slot_of(taken->batch));
      leave_out_broken(batch, taken->broken);
      try {
        if (const int64_t later = taken->batch + ring.slots(); later < ring.batches())
          prepare(later);
        ring.release();
      } catch (...) {  // no memory
        ring.cancel();
        throw;
      }
      if (!batch.labels.empty()) return batch;
    }
    return std::nullopt;
  }

  void leave_out_broken(Batch& batch, const std::vector<std::string>& broken) {
    if (batch.labels.size() == broken.size()) return;
    std::vector<int64_t> kept;
    for (std::size_t row = 0; row < broken.size(); ++row) {
      const int64_t sample = batch.samples[row];
      if (broken[row].empty()) {
        kept.push_back(sample);
      } else if (known_broken.insert(sample).second) {
        log.add(dataset.full_name(sample));
        if (options.warn) options.warn("broken image left out: " + broken[row]);
      }
    }
    batch.samples = std::move(kept);
  }

  const ImageFolder dataset;
  const LoaderOptions options;
  const int64_t floats_per_image, classes;
  ImageCache cache;
  BufferPool buffers;
  QuarantineList log;
  std::unordered_set<int64_t> known_broken;

  int64_t epoch = 0;           // these two change only while no worker is busy
  std::vector<int64_t> order;  // sample of each position in the epoch
  std::vector<Batch> slots;    // samples and buffers are set before they are filled, the rest after
  BatchRing ring;              // last: its threads use all of the above
};

Loader::Loader(const ImageFolder& dataset, LoaderOptions options) {
  check_options(dataset, options);
  impl_ = std::make_unique<Impl>(dataset, std::move(options));
}

Loader::~Loader() = default;

int64_t Loader::batches() const { return impl_->ring.batches(); }
void Loader::start(int64_t epoch, int64_t first) { impl_->start(epoch, first); }
std::optional<Batch> Loader::next() { return impl_->next(); }
int64_t Loader::broken_count() const { return static_cast<int64_t>(impl_->known_broken.size()); }

}  // namespace shiftadd::data
