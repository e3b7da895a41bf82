// Reads the markers of a JPEG: frame size, scans, EXIF orientation.
#include <algorithm>
#include <cstring>
#include <limits>

#include "data/decode_header.h"

namespace shiftadd::data {

namespace {

constexpr uint8_t kEndOfImage = 0xD9, kStartOfScan = 0xDA, kApp1 = 0xE1;

bool stands_alone(uint8_t marker) { return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8); }

bool is_frame_header(uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// The next byte pair FF xx that is a marker, from `position`: xx is neither a stuffed 0 nor another
// FF. Returns the offset of xx, or bytes.size().
std::size_t find_marker(std::span<const uint8_t> bytes, std::size_t position) {
  while (position + 1 < bytes.size()) {
    const void* found = std::memchr(bytes.data() + position, 0xFF, bytes.size() - position - 1);
    if (!found) break;
    position = static_cast<const uint8_t*>(found) - bytes.data() + 1;
    if (bytes[position] != 0 && bytes[position] != 0xFF) return position;
  }
  return bytes.size();
}

}  // namespace

int exif_orientation_of(std::span<const uint8_t> tiff) {
  if (tiff.size() < 8) return 1;
  const bool little = tiff[0] == 'I' && tiff[1] == 'I';
  if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 1;
  const auto read16 = [&](uint64_t at) -> uint32_t {
    if (at + 2 > tiff.size()) return 0;
    return little ? tiff[at] | tiff[at + 1] << 8 : tiff[at] << 8 | tiff[at + 1];
  };
  const auto read32 = [&](uint64_t at) -> uint64_t {
    const uint64_t first = read16(at), second = read16(at + 2);
    return little ? first | second << 16 : first << 16 | second;
  };
  if (read16(2) != 42) return 1;
  const uint64_t directory = read32(4);
  const uint32_t entries = read16(directory);
  constexpr uint32_t kOrientationTag = 0x0112;
  for (uint32_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + 12ull * i;  // tag, type, count, value
    if (entry + 12 > tiff.size()) return 1;
    if (read16(entry) != kOrientationTag) continue;
    // SHORT by the standard; other writers store the same number as another type of integer.
    uint64_t value = 0;
    switch (read16(entry + 2)) {
      case 1:
      case 6:
        value = tiff[entry + 8];
        break;  // BYTE, SBYTE
      case 3:
      case 8:
        value = read16(entry + 8);
        break;  // SHORT, SSHORT
      case 4:
      case 9:
        value = read32(entry + 8);
        break;  // LONG, SLONG
      default:
        break;
    }
    return read32(entry + 4) == 1 && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

void read_jpeg_header(std::span<const uint8_t> bytes, ImageHeader& header) {
  static constexpr uint8_t kExif[] = {'E', 'x', 'i', 'f', 0, 0};
  // The sparsest legal scan spends one bit a block on a DC coefficient; odd sampling factors (4x1
  // beside 1x4) leave 8 blocks in a 32 x 32 unit.
  header.max_pixels_per_byte = 1024;
  header.scans = 0;
  bool progressive = false;
  int components = 0;
  std::size_t position = find_marker(bytes, 2);
  while (position < bytes.size()) {
    const uint8_t marker = bytes[position];
    if (marker == kEndOfImage) return;
    if (stands_alone(marker)) {
      position = find_marker(bytes, position + 1);
      continue;
    }
    if (position + 3 > bytes.size()) return;
    const std::size_t length = big16(&bytes[position + 1]);
    if (length < 2 || position + 1 + length > bytes.size()) return;
    const std::span<const uint8_t> segment = bytes.subspan(position + 3, length - 2);
    if (is_frame_header(marker) && segment.size() >= 6 && header.width == 0) {
      header.height = big16(&segment[1]);
      header.width = big16(&segment[3]);
      components = segment[5];
      progressive = (marker & 3) == 2;  // C2, C6, CA, CE
      // Arithmetic coding (C9 and above) spends next to nothing on blocks that are all alike.
      if (marker >= 0xC9) header.max_pixels_per_byte = std::numeric_limits<int64_t>::max();
    } else if (marker == kApp1 && segment.size() > sizeof kExif &&
               std::equal(kExif, kExif + sizeof kExif, segment.begin())) {
      header.orientation = exif_orientation_of(segment.subspan(sizeof kExif));
    } else if (marker == kStartOfScan && !segment.empty()) {
      // Where no scan completes the picture, all coefficients are kept: 16 bits each.
      if (++header.scans == 1 && (progressive || segment[0] < components))
        header.working_bytes = 2 * components * header.width * header.height;
    }
    // Entropy-coded data follows a scan header: find_marker steps over its stuffed zeros.
    position = find_marker(bytes, position + 1 + length);
  }
}

}  // namespace shiftadd::data
