// ImageStream: decodes, resizes and cuts images on worker threads, in order, ahead of the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/preprocess.h"
#include "core/tensor.h"
#include "data/dataset.h"
#include "data/decode.h"

namespace shiftadd::data {

/// Where encoded images come from; both functions are called from several threads at once.
struct ImageSource {
  int64_t count = 0;
  std::function<std::string(int64_t item)> name;
  // Throws Error for a file that cannot be read or is beyond the limits.
  std::function<std::vector<uint8_t>(int64_t item, const DecodeLimits& limits)> read;
};
ImageSource source_of_files(std::vector<std::string> paths);
ImageSource source_of_set(const ImageFolder& set);  // which must outlive it

struct ImageBatch {
  struct Broken {
    int64_t item;
    std::string reason;  // "NAME: what is wrong"
  };
  /// (rows, height, width, channels) of bytes (data/preprocess.h); until the stream's next call.
  Tensor images;
  std::vector<int64_t> items;  // the source's item of each row, ascending
  std::vector<Broken> broken;  // items of this batch that gave no row
};

class ImageStream {
 public:
  /// Batches are items [0, batch), [batch, 2 batch), ...; broken ones are left out of theirs.
  /// workers >= 1. An image beyond the limits is a broken one.
  ImageStream(ImageSource source, const Preprocess& preprocess, int64_t batch, int workers,
              const DecodeLimits& limits = {});
  ~ImageStream();  // stops at once, finished or not
  ImageStream(const ImageStream&) = delete;
  ImageStream& operator=(const ImageStream&) = delete;

  /// The next batch (rows may be 0 when all its images are broken), or nothing at the end. Throws
  /// a failure of the machine (no memory); a broken image is not one.
  std::optional<ImageBatch> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shiftadd::data
