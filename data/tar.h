// Uncompressed tar archives read in place: an index of members, kept in a cache file between runs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/io/files.h"

namespace shiftadd::data {

struct TarMember {
  /// kLink is a symbolic link (its target is not followed); hard links are files with their
  /// target's bytes.
  enum class Kind : uint8_t { kFile, kFolder, kLink };
  std::string name;  // '/'-separated, without "./", leading or trailing '/'
  int64_t offset = 0,
          size = 0;  // the contents' place in the archive, bytes; size is 0 unless kFile
  Kind kind = Kind::kFile;
};

/// Members in archive order; a name may occur twice (tar -r): the later one counts. Reads v7,
/// ustar, GNU (long names, sizes in base 256) and pax (path, linkpath, size) headers and checks
/// each header's sum. Devices are left out. Throws Error (user) naming `name` for a compressed,
/// truncated, damaged or sparse archive.
std::vector<TarMember> index_tar(std::span<const uint8_t> archive, const std::string& name);

/// index_tar through a cache file: PATH.index beside the archive, or a file of the user's cache
/// folder
/// ($XDG_CACHE_HOME/shiftadd or ~/.cache/shiftadd) where that cannot be written; neither: no cache.
/// A cache that does not match the archive's size and time of change, or its own checksum, is made
/// anew.
std::vector<TarMember> index_tar_cached(const MappedFile& archive, const std::string& path);

}  // namespace shiftadd::data
