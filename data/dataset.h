// Labelled images in ImageNet-style folders, or the same tree inside an uncompressed tar read in place.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/io/files.h"

namespace shiftadd::data {

/// Classes are the top-level folder names in byte order; samples are sorted by path within them. Files starting
/// with '.' and files without an image extension (.jpg .jpeg .png .bmp .gif, any case) are not samples.
class ImageFolder {
 public:
  /// A folder, or a path ending in .tar (mapped; its index is cached beside it as NAME.tar.index, or in the user's cache
  /// folder where that is not writable, and checked against size and time). Throws Error (user): no such
  /// path, no class folder, a class without images (all named), a compressed or broken tar.
  static ImageFolder open(const std::string& path);

  int64_t size() const { return static_cast<int64_t>(samples_.size()); }
  const std::vector<std::string>& classes() const { return classes_; }
  int64_t label(int64_t sample) const { return samples_[sample].label; }
  std::string name(int64_t sample) const;  // "cat/0001.jpg"
  const std::string& path() const { return path_; }
  /// The file's bytes; thread-safe.
  std::vector<uint8_t> read(int64_t sample) const;
  /// SHA-256 over names, labels and sizes: what a manifest records.
  std::string digest() const;
  /// The samples listed, in that order (validation split, quarantine).
  ImageFolder subset(const std::vector<int64_t>& samples) const;

 private:
  struct Sample { std::string file; int64_t label, offset, size; };
  std::string path_;
  std::vector<std::string> classes_;
  std::vector<Sample> samples_;
  MappedFile tar_;  // defined for tars
};

/// Splits by seed, class by class: `fraction` of each class (rounded, at least 1 of 2 or more) to the second.
std::pair<ImageFolder, ImageFolder> split(const ImageFolder& all, double fraction, uint64_t seed);

}  // namespace shiftadd::data
