// Returns a loader's batches one by one, and starts the next epoch when one is over.
#include "train/image_source.h"

namespace shiftadd::train {

NextImages endless_images(data::Loader& loader) {
  return [&loader, epoch = int64_t{-1}]() mutable {
    if (epoch >= 0)
      if (const std::optional<data::Batch> batch = loader.next()) return batch->images;
    loader.start(++epoch);
    const std::optional<data::Batch> batch = loader.next();
    if (!batch) throw user_error("no training image of epoch ", epoch + 1, " could be read");
    return batch->images;
  };
}

}  // namespace shiftadd::train
