// The directory of a zip archive whose entries are stored uncompressed (what torch.save writes).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shiftadd {

/// One member: a view of the archive's bytes.
struct ZipEntry {
  std::string name;
  const uint8_t* data = nullptr;
  std::size_t size = 0;
};

/// True when the bytes start as a zip archive does.
bool looks_like_zip(const uint8_t* bytes, std::size_t size);

/// Entries in the order of the central directory (zip64 included). Throws Error (user) naming
/// `file` for a truncated archive, a compressed or encrypted entry, a duplicate name, or sizes that
/// do not fit.
std::vector<ZipEntry> read_zip(const uint8_t* bytes, std::size_t size, const std::string& file);

}  // namespace shiftadd
