// Recognises image files and reads PNG, BMP and GIF headers.
#include "data/decode_header.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"

namespace shiftadd::data {

namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 28;

uint32_t big32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}
uint32_t little16(const uint8_t* p) { return p[0] | uint32_t{p[1]} << 8; }
uint32_t little32(const uint8_t* p) { return little16(p) | little16(p + 2) << 16; }

bool starts_with(std::span<const uint8_t> bytes, std::initializer_list<uint8_t> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

// Source: PNG specification (ISO/IEC 15948), chunk layout.
void read_png(std::span<const uint8_t> bytes, ImageHeader& header) {
  constexpr uint32_t kIhdr = 0x49484452, kIdat = 0x49444154, kIend = 0x49454E44;
  header.complete = false;
  if (bytes.size() < 33 || big32(&bytes[8]) != 13 || big32(&bytes[12]) != kIhdr) return;
  header.width = big32(&bytes[16]);
  header.height = big32(&bytes[20]);
  // Deflate's best ratio is 1032 to 1, and a pixel may be one bit; a small allowance (in the check)
  // covers the zlib header of tiny images.
  const int64_t depth = std::max<int64_t>(1, bytes[24]);
  const int64_t samples = bytes[25] == 2 ? 3 : bytes[25] == 4 ? 2 : bytes[25] == 6 ? 4 : 1;
  header.max_pixels_per_byte = std::max<int64_t>(1, 1032 * 8 / (depth * samples));
  bool data = false;
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::size_t length = big32(&bytes[at]);
    const uint32_t type = big32(&bytes[at + 4]);
    if (length > bytes.size() - at - 12) return;
    data = data || type == kIdat;
    if (type == kIend) {
      header.complete = data;
      return;
    }
    at += 12 + length;
  }
}

// Source: BITMAPFILEHEADER and BITMAPINFOHEADER.
void read_bmp(std::span<const uint8_t> bytes, const std::string& name, ImageHeader& header) {
  if (bytes.size() < 26) throw user_error(name, ": BMP header is cut short");
  const uint32_t offset = little32(&bytes[10]), header_size = little32(&bytes[14]);
  int64_t bits;
  if (header_size == 12) {
    header.width = little16(&bytes[18]);
    header.height = little16(&bytes[20]);
    bits = little16(&bytes[24]);
  } else {
    if (bytes.size() < 34) throw user_error(name, ": BMP header is cut short");
    header.width = static_cast<int32_t>(little32(&bytes[18]));
    header.height = std::llabs(static_cast<int32_t>(little32(&bytes[22])));
    bits = little16(&bytes[28]);
    const uint32_t compression = little32(&bytes[30]);
    if (compression != 0 && compression != 3)
      throw user_error(name,
                       ": run-length coded or embedded BMP is not supported: save it uncompressed");
  }
  if (header.width <= 0 || header.width > kMaxPixels || bits < 1 || bits > 32) return;
  header.max_pixels_per_byte = std::max<int64_t>(1, 8 / bits);
  const int64_t row = (header.width * bits + 31) / 32 * 4;
  const int64_t rows_end = offset + row * (header.height - 1) + (header.width * bits + 7) / 8;
  header.complete = rows_end <= static_cast<int64_t>(bytes.size());
}

// Source: GIF89a specification. Walks to the end of the first frame's data.
void read_gif(std::span<const uint8_t> bytes, ImageHeader& header) {
  header.complete = false;
  if (bytes.size() < 13) return;
  header.width = little16(&bytes[6]);
  header.height = little16(&bytes[8]);
  // A 12-bit code stands for at most 4096 pixels.
  header.max_pixels_per_byte = 4096;
  std::size_t at = 13;
  if (bytes[10] & 0x80) at += std::size_t{3} << ((bytes[10] & 7) + 1);
  const auto skip_blocks = [&] {
    while (at < bytes.size() && bytes[at] != 0) at += 1 + bytes[at];
    return at++ < bytes.size();
  };
  while (at + 1 < bytes.size()) {
    const uint8_t kind = bytes[at];
    if (kind == 0x21) {  // extension: label, then blocks
      if (bytes[at + 1] == 0xF9 && at + 3 < bytes.size()) header.gif_control_flags = at + 3;
      at += 2;
      if (!skip_blocks()) return;
    } else if (kind == 0x2C) {  // image: position, size, flags, colours, code size, blocks
      if (at + 10 > bytes.size()) return;
      const uint8_t flags = bytes[at + 9];
      at += 10 + (flags & 0x80 ? std::size_t{3} << ((flags & 7) + 1) : 0) + 1;
      header.complete = at < bytes.size() && skip_blocks();
      return;
    } else {
      return;
    }
  }
}

}  // namespace

ImageHeader read_header(std::span<const uint8_t> bytes, const std::string& name, bool whole) {
  if (bytes.empty()) throw user_error(name, ": the file is empty");
  ImageHeader header;
  if (starts_with(bytes, {0xFF, 0xD8, 0xFF})) {
    header.kind = FileKind::kJpeg;
    read_jpeg_header(bytes, whole, header);
  } else if (starts_with(bytes, {0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A})) {
    header.kind = FileKind::kPng;
    read_png(bytes, header);
  } else if (starts_with(bytes, {'B', 'M'})) {
    header.kind = FileKind::kBmp;
    read_bmp(bytes, name, header);
  } else if (starts_with(bytes, {'G', 'I', 'F', '8'})) {
    header.kind = FileKind::kGif;
    read_gif(bytes, header);
  } else {
    throw user_error(name, ": not a JPEG, PNG, BMP or GIF image, whatever its name says");
  }
  if (header.width <= 0 || header.height <= 0)
    throw user_error(name, ": broken or cut short: its header gives no valid image size");
  if (header.width > kMaxPixels / header.height)
    throw user_error(name, ": ", header.width, " x ", header.height,
                     " pixels exceed the limit of 2^28");
  const auto size = static_cast<int64_t>(bytes.size());
  if (header.width * header.height > size * header.max_pixels_per_byte)
    throw user_error(name, ": cut short: ", size, " bytes cannot hold ", header.width, " x ",
                     header.height, " pixels");
  return header;
}

}  // namespace shiftadd::data
