// Everything that lies below a folder or in a tar, as one list: what training, evaluation and
// shiftadd-infer all see.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/io/input_file.h"

namespace shiftadd::data {

struct TreeEntry {
  enum class Kind : uint8_t {
    kFolder,
    kFile,
    kLink,    // leads nowhere, or (in a tar) is not followed: may stand for a folder of images
    kSpecial  // a named pipe, a socket, a device
  };
  std::string name;              // relative to the root, '/'-separated
  int64_t offset = 0, size = 0;  // of a file; the offset is its place in the tar
  Kind kind = Kind::kFile;
  // Of a link, something special, or a folder that cannot be read or contains itself: the whole
  // error for whoever needs it.
  std::string problem;
};

/// Links are followed, also to folders, and nothing is opened. Names that begin with '.' are left
/// out, and what lies below them. Throws Error (user): the root cannot be read.
std::vector<TreeEntry> walk_folder(const std::string& root);

/// The members of a tar, each name once (the later member counts, as when unpacked), in byte order,
/// hidden ones left out. Symbolic links count as links unless they lead to a file of the same tar
/// that is no image. Throws Error (user): not a tar, or a damaged one.
std::vector<TreeEntry> tar_entries(const InputFile& tar, const std::string& path);

}  // namespace shiftadd::data
