// Labelled images in ImageNet-style folders, or the same tree inside an uncompressed tar read in
// place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/io/files.h"

namespace shiftadd::data {

/// Classes are the top-level folder names in byte order; samples are sorted by path within them,
/// folders below a class included. Files and folders starting with '.' and files without an image
/// extension (.jpg .jpeg .png .bmp .gif, any case) are not samples. Copies share their samples.
class ImageFolder {
 public:
  /// A folder, or a path ending in .tar (mapped; its index is cached beside it as NAME.tar.index,
  /// or in the user's cache folder where that is not writable, and checked against size and time).
  /// When a tar's only top-level entry is a folder that holds folders and no images
  /// ("train/cat/1.jpg"), the classes are the folders inside it. Throws Error (user): no such path,
  /// no class folder, a class without images (all named), a compressed or broken tar.
  static ImageFolder open(const std::string& path);

  int64_t size() const { return static_cast<int64_t>(samples_->size()); }
  const std::vector<std::string>& classes() const { return classes_; }
  int64_t label(int64_t sample) const { return (*samples_)[sample].label; }
  std::vector<int64_t> labels() const;  // of all samples
  const std::string& name(int64_t sample) const {
    return (*samples_)[sample].file;
  }  // "cat/0001.jpg"
  /// PATH/cat/0001.jpg, for messages; inside a tar no such file exists.
  std::string full_name(int64_t sample) const { return path_ + "/" + name(sample); }
  const std::string& path() const { return path_; }
  /// The file's bytes; thread-safe.
  std::vector<uint8_t> read(int64_t sample) const;
  /// Files that are no images by their name, or lie beside the class folders: nothing reads them.
  /// Hidden ones are not listed. Relative names, sorted.
  const std::vector<std::string>& ignored() const { return *ignored_; }
  /// SHA-256 over class names, file names, labels and file sizes (not contents: sets are large):
  /// what a manifest records.
  std::string digest() const;
  /// The samples listed, in that order (validation split, quarantine).
  ImageFolder subset(const std::vector<int64_t>& samples) const;

 private:
  struct Sample {
    std::string file;             // relative, class folder first
    int64_t label, offset, size;  // offset: in the tar
  };
  ImageFolder(std::string path, std::vector<std::string> classes, std::vector<Sample> samples,
              std::vector<std::string> ignored, MappedFile tar);

  std::string path_;
  std::vector<std::string> classes_;
  std::shared_ptr<const std::vector<Sample>> samples_;
  std::shared_ptr<const std::vector<std::string>> ignored_;
  MappedFile tar_;  // defined for tars
};

/// Splits by seed, class by class: `fraction` (0 to 1, both exclusive) of each class, rounded, to
/// the second part, but at least 1 of 2 images or more, and never all of them. Both parts keep the
/// order of `all`.
std::pair<ImageFolder, ImageFolder> split(const ImageFolder& all, double fraction, uint64_t seed);

/// Throws Error (user) listing the classes that only one of the two has.
void require_same_classes(const ImageFolder& train, const ImageFolder& val);

}  // namespace shiftadd::data
