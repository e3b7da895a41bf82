// Decodes, resizes and cuts images on the threads of a ring, and says which of them are broken.
#include "data/image_stream.h"

#include <algorithm>
#include <utility>

#include "core/memory_limit.h"
#include "data/batch_ring.h"
#include "data/preprocess.h"
#include "data/read_image.h"

namespace shiftadd::data {
namespace {

constexpr int64_t kBatchesAhead = 3;  // one with the engine, one ready, one in the making

}  // namespace

ImageSource source_of_files(std::vector<std::string> paths) {
  const auto shared = std::make_shared<const std::vector<std::string>>(std::move(paths));
  ImageSource source;
  source.count = static_cast<int64_t>(shared->size());
  source.name = [shared](int64_t item) { return (*shared)[item]; };
  source.read = [shared](int64_t item, const DecodeLimits& limits) {
    return read_image((*shared)[item], limits);
  };
  return source;
}

ImageSource source_of_set(const ImageFolder& set) {
  return {set.size(), [&set](int64_t item) { return set.name(item); },
          [&set](int64_t item, const DecodeLimits& limits) { return set.read(item, limits); }};
}

struct ImageStream::Impl {
  Impl(ImageSource from, const Preprocess& how, int64_t batch, int workers,
       const DecodeLimits& bounds)
      : source(std::move(from)),
        preprocess(how),
        limits(bounds),
        batch_size(batch),
        slots(make_slots()),
        ring({.items = source.count,
              .batch = batch,
              .slots = static_cast<int64_t>(slots.size()),
              .workers = workers,
              .workers_key = "--workers"},
             {.fill = [this](int64_t index, int64_t row) { return fill(index, row); },
              .finish =
                  [this](int64_t index, const auto& broken) {
                    close_gaps(slot_of(index).data<uint8_t>(), preprocess.values(), broken);
                  }}) {
    ring.start();
  }

  Tensor& slot_of(int64_t batch) { return slots[batch % slots.size()]; }

  std::vector<Tensor> make_slots() const {
    const int64_t rows = std::min(batch_size, source.count);
    const int64_t count = std::min(kBatchesAhead, (source.count + batch_size - 1) / batch_size);
    const auto values = static_cast<double>(preprocess.values());
    require_memory(concat("reading batches of ", rows, " images"),
                   {{"their pixels", static_cast<double>(count * rows) * values,
                     "--batch, or the network's image_size"}});
    const Shape shape = {rows, preprocess.crop.height, preprocess.crop.width,
                         preprocess.channels()};
    std::vector<Tensor> made;
    for (int64_t i = 0; i < count; ++i) made.emplace_back(shape, DType::kU8);
    return made;
  }

  std::string fill(int64_t index, int64_t row) {
    const int64_t item = index * batch_size + row;
    try {
      const std::vector<uint8_t> bytes = source.read(item, limits);
      crop_pixels(decode_image(bytes, source.name(item), preprocess.exif_orientation, limits),
                  preprocess, slot_of(index).data<uint8_t>() + row * preprocess.values());
      return {};
    } catch (const Error& error) {
      if (error.kind() != Error::Kind::kUser) throw;
      return error.what();
    }
  }

  std::optional<ImageBatch> next() {
    const auto taken = ring.take();
    if (!taken) return std::nullopt;
    ImageBatch result;
    for (std::size_t row = 0; row < taken->broken.size(); ++row) {
      const int64_t item = taken->batch * batch_size + static_cast<int64_t>(row);
      if (taken->broken[row].empty())
        result.items.push_back(item);
      else
        result.broken.push_back({item, taken->broken[row]});
    }
    result.images = slot_of(taken->batch).slice(0, static_cast<int64_t>(result.items.size()));
    return result;
  }

  const ImageSource source;
  const Preprocess preprocess;
  const DecodeLimits limits;
  const int64_t batch_size;
  std::vector<Tensor> slots;
  BatchRing ring;  // last: its threads use all of the above
};

ImageStream::ImageStream(ImageSource source, const Preprocess& preprocess, int64_t batch,
                         int workers, const DecodeLimits& limits)
    : impl_(std::make_unique<Impl>(std::move(source), preprocess, batch, workers, limits)) {}
ImageStream::~ImageStream() = default;
std::optional<ImageBatch> ImageStream::next() { return impl_->next(); }

}  // namespace shiftadd::data
