// Uncompressed tar archives read in place: an index of members, kept in a cache file between runs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/io/input_file.h"

namespace shiftadd::data {

struct TarMember {
  /// kLink is a symbolic link, which is not followed; hard links are files with their target's
  /// bytes; kSpecial is a named pipe or a device.
  enum class Kind : uint8_t { kFile, kFolder, kLink, kSpecial };
  std::string name;              // '/'-separated, without "./", "../", leading or trailing '/'
  int64_t offset = 0, size = 0;  // the contents' place in the archive, bytes; 0 unless kFile
  Kind kind = Kind::kFile;
  std::string link;  // of a kLink: where it leads
};

/// Members in archive order; a name may occur twice (tar -r): the later one counts. Reads v7,
/// ustar, GNU (long names, sizes in base 256) and pax (path, linkpath, size) headers and checks
/// each header's sum. Throws Error (user) naming `name` for a compressed, truncated, damaged or
/// sparse archive, for a hard link to anything but a file before it, and for a second archive
/// behind the first.
std::vector<TarMember> index_tar(std::span<const uint8_t> archive, const std::string& name);
std::vector<TarMember> index_tar(const InputFile& archive, const std::string& name);

/// index_tar through a cache file: PATH.index beside the archive, or a file of the user's cache
/// folder ($XDG_CACHE_HOME/shiftadd or ~/.cache/shiftadd) where that cannot be written; neither: no
/// cache. A cache that does not match the archive's size and time of change, or its own checksum,
/// is made anew.
std::vector<TarMember> index_tar_cached(const InputFile& archive, const std::string& path);

}  // namespace shiftadd::data
