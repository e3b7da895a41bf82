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
  uint32_t crc = 0;  // as the directory says
};

/// True when the bytes start as a zip archive does.
bool looks_like_zip(const uint8_t* bytes, std::size_t size);

/// Entries in the order of the central directory (zip64 included). Throws Error (user) naming
/// `file` for a truncated archive, a compressed or encrypted entry, a duplicate name, sizes that do
/// not fit, and, if `check_crc`, an entry whose CRC-32 is not the directory's.
std::vector<ZipEntry> read_zip(const uint8_t* bytes, std::size_t size, const std::string& file,
                               bool check_crc = true);

}  // namespace shiftadd
