// Recognises image files and holds their headers against the limits.
#include "data/decode_header.h"

#include <algorithm>
#include <initializer_list>

#include "core/error.h"
#include "data/formats.h"

namespace shiftadd::data {

std::optional<FileKind> file_kind(std::span<const uint8_t> first_bytes) {
  const auto starts_with = [&](std::initializer_list<uint8_t> magic) {
    return first_bytes.size() >= magic.size() &&
           std::equal(magic.begin(), magic.end(), first_bytes.begin());
  };
  if (starts_with({0xFF, 0xD8, 0xFF})) return FileKind::kJpeg;
  if (starts_with({0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A})) return FileKind::kPng;
  if (starts_with({'B', 'M'})) return FileKind::kBmp;
  if (starts_with({'G', 'I', 'F', '8'})) return FileKind::kGif;
  return std::nullopt;
}

ImageHeader parse_header(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.empty()) throw user_error(name, ": the file is empty");
  const std::optional<FileKind> kind = file_kind(bytes);
  if (!kind) {
    const std::string contents = foreign_contents(bytes);
    throw user_error(name, ": not a JPEG, PNG, BMP or GIF image, whatever its name says",
                     contents.empty() ? "" : concat(" (it is ", contents, ")"));
  }
  ImageHeader header;
  header.kind = *kind;
  switch (*kind) {
    case FileKind::kJpeg:
      read_jpeg_header(bytes, header);
      break;
    case FileKind::kPng:
      read_png_header(bytes, name, header);
      break;
    case FileKind::kBmp:
      read_bmp_header(bytes, name, header);
      break;
    case FileKind::kGif:
      read_gif_header(bytes, name, header);
      break;
  }
  if (header.width <= 0 || header.height <= 0)
    throw user_error(name, ": broken or cut short: its header gives no valid image size");
  return header;
}

void check_size(const ImageHeader& header, int64_t file_bytes, const std::string& name,
                int64_t max_pixels) {
  if (header.width > max_pixels / header.height)
    throw user_error(name, ": ", header.width, " x ", header.height, " pixels exceed the limit of ",
                     max_pixels,
                     ": make the image smaller, or raise the limit (data.max_pixels in a training "
                     "config, --max-pixels of shiftadd-infer)");
  // Divided, not multiplied: what a format without such a ratio packs into a byte has no bound.
  if (header.width * header.height / header.max_pixels_per_byte > file_bytes)
    throw user_error(name, ": cut short: ", file_bytes, " bytes cannot hold ", header.width, " x ",
                     header.height, " pixels");
}

ImageHeader read_header(std::span<const uint8_t> bytes, const std::string& name,
                        int64_t max_pixels) {
  const ImageHeader header = parse_header(bytes, name);
  check_size(header, static_cast<int64_t>(bytes.size()), name, max_pixels);
  return header;
}

}  // namespace shiftadd::data
