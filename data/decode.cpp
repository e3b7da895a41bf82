// Chooses the decoder, checks what it is given, and turns photographs upright.
#include "data/decode.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "data/decode_codecs.h"
#include "data/decode_header.h"

namespace shiftadd::data {

namespace {

// EXIF orientation o: 2 mirror, 3 turn 180, 4 flip, 5 transpose, 6 turn right, 7 transverse, 8 turn
// left.
Image upright(const Image& source, int orientation) {
  const bool swapped = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image result;
  result.width = swapped ? source.height : source.width;
  result.height = swapped ? source.width : source.height;
  result.pixels.resize(source.pixels.size());
  for (int64_t y = 0; y < result.height; ++y) {
    uint8_t* to = result.row(y);
    for (int64_t x = 0; x < result.width; ++x, to += 3) {
      const int64_t sx = swapped ? y : x, sy = swapped ? x : y;
      const uint8_t* from = source.row(from_bottom ? source.height - 1 - sy : sy) +
                            3 * (from_right ? source.width - 1 - sx : sx);
      std::copy(from, from + 3, to);
    }
  }
  return result;
}

// A JPEG may ask for any number of passes over its picture in a few bytes each. Encoders write at
// most some twenty; so many are taken of any size, and more where all of them together are about
// as much work as reading one of the largest pictures.
void check_scans(const ImageHeader& header, const std::string& name) {
  constexpr int64_t kScansOfAnySize = 32, kMaxScannedPixels = int64_t{1} << 28;
  // Blocks lie in units of up to 32 x 32 pixels; starting a scan takes as long as some of them.
  constexpr int64_t kUnit = 32, kLeastPixels = 4096;
  const auto in_units = [](int64_t side) { return (side + kUnit - 1) / kUnit * kUnit; };
  const int64_t pixels = std::max(kLeastPixels, in_units(header.width) * in_units(header.height));
  if (header.scans > kScansOfAnySize && header.scans > kMaxScannedPixels / pixels)
    throw user_error(name, ": ", header.scans, " scans of ", header.width, " x ", header.height,
                     " pixels exceed the limit (", kScansOfAnySize, " scans, or ",
                     kMaxScannedPixels, " pixels in all of them, at least ", kLeastPixels,
                     " in each): save the image again");
}

void check_memory(const ImageHeader& header, int64_t file_bytes, bool turned,
                  const std::string& name) {
  const int64_t pixel_bytes = 3 * header.width * header.height;
  const int64_t needed = file_bytes + pixel_bytes * (turned ? 2 : 1) + header.working_bytes;
  if (needed <= kMaxDecodeBytes) return;
  constexpr int64_t kMiB = int64_t{1} << 20;
  throw user_error(
      name, ": decoding ", header.width, " x ", header.height, " pixels of this kind takes ",
      (needed + kMiB - 1) / kMiB, " MiB, above the limit of ", kMaxDecodeBytes / kMiB,
      " MiB: make the image smaller",
      header.working_bytes > pixel_bytes / 2 ? ", or save it as a baseline (not progressive) JPEG"
                                             : "");
}

// No picture needs more than 8 bytes a pixel and what describes it: a file of more makes work by
// bytes that nobody sees.
void check_bytes(const ImageHeader& header, int64_t file_bytes, const std::string& name) {
  constexpr int64_t kMiB = int64_t{1} << 20, kDescription = 64 * kMiB, kPixelBytes = 16;
  if (file_bytes <= kDescription + kPixelBytes * header.width * header.height) return;
  throw user_error(name, ": ", file_bytes / kMiB, " MiB for ", header.width, " x ", header.height,
                   " pixels exceed the limit of ", kDescription / kMiB, " MiB and ", kPixelBytes,
                   " bytes a pixel: save the image again");
}

void check_limits(const ImageHeader& header, int64_t file_bytes, bool turned,
                  const std::string& name, const DecodeLimits& limits) {
  check_size(header, file_bytes, name, limits.max_pixels);
  check_bytes(header, file_bytes, name);
  check_scans(header, name);
  check_memory(header, file_bytes, turned, name);
}

Image decode_kind(std::span<const uint8_t> bytes, FileKind kind, const std::string& name) {
  switch (kind) {
    case FileKind::kJpeg:
      return decode_jpeg(bytes, name);
    case FileKind::kPng:
      return decode_png(bytes, name);
    case FileKind::kBmp:
      return decode_bmp(bytes, name);
    case FileKind::kGif:
      break;
  }
  return decode_gif(bytes, name);
}

}  // namespace

Image decode_image(std::span<const uint8_t> bytes, const std::string& name, bool exif_orientation,
                   const DecodeLimits& limits) {
  const ImageHeader header = parse_header(bytes, name);
  const bool turned = exif_orientation && header.orientation > 1;
  check_limits(header, static_cast<int64_t>(bytes.size()), turned, name, limits);
  Image image = decode_kind(bytes, header.kind, name);
  if (image.width != header.width || image.height != header.height)
    throw user_error(name, ": decodes to another size than its header gives");
  if (turned) return upright(image, header.orientation);
  return image;  // moved: a conditional expression would copy it
}

void check_start(std::span<const uint8_t> first_bytes, int64_t file_bytes, const std::string& name,
                 const DecodeLimits& limits) {
  ImageHeader header;
  try {
    header = parse_header(first_bytes, name);
  } catch (const Error&) {
    return;  // with all its bytes at hand, decode_image says what is wrong
  }
  check_limits(header, file_bytes, false, name, limits);
}

ImageSize image_size(std::span<const uint8_t> bytes, const std::string& name) {
  const ImageHeader header = read_header(bytes, name, std::numeric_limits<int64_t>::max());
  return {header.width, header.height};
}

}  // namespace shiftadd::data
