// What the loader keeps between batches: decoded images, batch buffers, the list of broken files.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "data/image.h"

namespace shiftadd::data {

/// Decoded images by sample number, up to a number of bytes; nothing is ever thrown out, since a
/// shuffled epoch uses each image equally often. Thread-safe without a lock.
class ImageCache {
 public:
  ImageCache(int64_t samples, int64_t limit_bytes) : limit_(limit_bytes) {
    if (limit_ > 0) images_ = std::vector<std::atomic<const Image*>>(samples);
  }
  ~ImageCache() {
    for (auto& image : images_) delete image.load();
  }
  ImageCache(const ImageCache&) = delete;
  ImageCache& operator=(const ImageCache&) = delete;

  const Image* find(int64_t sample) const {
    return images_.empty() ? nullptr : images_[sample].load(std::memory_order_acquire);
  }

  /// Takes the image over if there is room; returns it at its place (`image` itself when not kept).
  const Image* keep(int64_t sample, Image& image) {
    if (images_.empty()) return &image;
    constexpr int64_t kOverhead = sizeof(Image) + 32;  // two blocks of the allocator
    const int64_t bytes = static_cast<int64_t>(image.pixels.size()) + kOverhead;
    if (used_.fetch_add(bytes) + bytes <= limit_) {
      auto* kept = new Image(std::move(image));
      const Image* expected = nullptr;
      if (images_[sample].compare_exchange_strong(expected, kept, std::memory_order_acq_rel))
        return kept;
      image = std::move(*kept);  // another thread was first
      delete kept;
    }
    used_.fetch_sub(bytes);
    return &image;
  }

 private:
  int64_t limit_;
  std::atomic<int64_t> used_ = 0;
  std::vector<std::atomic<const Image*>> images_;
};

struct Buffers {
  Tensor images, targets;
};

/// Tensors of one batch each, handed out again when nobody else holds them: the same pages every
/// time.
class BufferPool {
 public:
  template <class Make>
  const Buffers& take(Make make) {
    for (const Buffers& buffers : all_)
      if (buffers.images.use_count() == 1 && buffers.targets.use_count() <= 1) return buffers;
    all_.push_back(make());
    return all_.back();
  }

 private:
  std::vector<Buffers> all_;
};

/// Appends names to a text file, one a line, each once, those already there included. No file: does
/// nothing.
class QuarantineList {
 public:
  explicit QuarantineList(std::string path);
  void add(const std::string& name);  // throws Error (failure) if the file cannot be written

 private:
  std::string path_;
  std::unordered_set<std::string> names_;
};

}  // namespace shiftadd::data
