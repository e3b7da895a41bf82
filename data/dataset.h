// Labelled images in ImageNet-style folders, or the same tree inside an uncompressed tar read in
// place.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/io/input_file.h"
#include "data/decode.h"

namespace shiftadd::data {

/// What to do with an image file that cannot be one (a link that leads nowhere, a named pipe, a
/// device), and with what may hide a whole class: such a link without an image's name, a folder that
/// contains itself or cannot be read.
enum class OddFiles : uint8_t {
  kRefuse,  // the set is refused
  kKeep,    // a file is a sample that throws when it is read, as a broken image does
  kList     // as kKeep; and what may hide a class is in hidden() instead of an error
};

/// Classes are the top-level folder names in byte order; samples are sorted by path within them,
/// folders below a class included. Files and folders starting with '.' and files without the
/// extension of an image that is read (formats.h) are not samples. Copies share their samples.
class ImageFolder {
 public:
  /// A folder, or an uncompressed tar (its index is cached beside it as NAME.tar.index, or in the
  /// user's cache folder where that is not writable, and checked against size and time). When a
  /// tar's only top-level entry is a folder that holds folders and no images ("train/cat/1.jpg"),
  /// the classes are the folders inside it. Links are followed in folders and refused in tars.
  /// Throws Error (user): no such path, no class folder, a class without images (all named), two
  /// classes of one name but for Unicode normalisation, parts of a set ("train" and "val") in place
  /// of classes, a link that may stand for a folder of images and cannot be followed, a folder
  /// inside itself, a compressed or broken tar, a tar of tars.
  static ImageFolder open(const std::string& path, OddFiles odd = OddFiles::kRefuse);

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
  /// The file's bytes; thread-safe. Throws Error (failure) where the file or the tar has another
  /// size than when the set was opened, (user) for a file that is gone, and for an odd one that was
  /// kept or is beyond the limits (read_image).
  std::vector<uint8_t> read(int64_t sample, const DecodeLimits& limits = {}) const;
  /// Files that are no images by their name, or lie beside the class folders: nothing reads them.
  /// Hidden ones are not listed. Relative names, sorted.
  const std::vector<std::string>& ignored() const { return *ignored_; }
  /// With OddFiles::kList: the whole error of each entry that may hide a class.
  const std::vector<std::string>& hidden() const { return *hidden_; }
  /// Lines for the start of a run: "PATH: not read: 5 .tif, 5 .webp (...)" where something is left
  /// out that looks like an image or an archive of them, and class names that are not UTF-8.
  std::vector<std::string> notes() const;
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
  ImageFolder() = default;

  std::string path_;
  std::vector<std::string> classes_;
  std::shared_ptr<const std::vector<Sample>> samples_;
  std::shared_ptr<const std::vector<std::string>> ignored_;
  std::shared_ptr<const std::vector<std::string>> hidden_;
  std::shared_ptr<const std::map<std::string, std::string>>
      odd_;                               // the error of each that was kept
  std::shared_ptr<const InputFile> tar_;  // none: a folder
};

/// Splits by seed, class by class: `fraction` (0 to 1, both exclusive) of each class, rounded, to
/// the second part, but at least 1 of 2 images or more, and never all of them. Both parts keep the
/// order of `all`.
std::pair<ImageFolder, ImageFolder> split(const ImageFolder& all, double fraction, uint64_t seed);

/// Throws Error (user) listing the classes that only one of the two has.
void require_same_classes(const ImageFolder& train, const ImageFolder& val);

}  // namespace shiftadd::data
