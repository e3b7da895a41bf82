// Bytes of a JPEG, PNG, BMP or GIF file to RGB.
#pragma once

#include "data/image.h"

namespace shiftadd::data {

/// What a decode may cost. Beside this, none takes more than kMaxDecodeBytes or repeats its passes
/// over the picture without bound.
struct DecodeLimits {
  int64_t max_pixels = 89'478'485;  // Pillow warns above this size
};
/// Of one decode: the file, the pixels, and what the decoder needs beside them. No larger file can
/// be read.
inline constexpr int64_t kMaxDecodeBytes = int64_t{512} << 20;

/// What convert("RGB") of Pillow gives: gray is replicated, palettes looked up, alpha discarded,
/// 16-bit PNG reduced, CMYK JPEG converted. Only the first frame of a GIF. With exif_orientation a
/// JPEG or PNG is turned upright. Depends on nothing but its arguments. Throws Error (user)
/// "NAME: reason" for anything unreadable, damaged where the format has checksums, cut short,
/// empty, or beyond the limits (checked before memory is taken).
Image decode_image(std::span<const uint8_t> bytes, const std::string& name,
                   bool exif_orientation = false, const DecodeLimits& limits = {});

/// Refuses, as decode_image would, a file of `file_bytes` bytes of which only the first are there:
/// by its size, and by what its header asks for. What they do not tell is left to decode_image.
void check_start(std::span<const uint8_t> first_bytes, int64_t file_bytes, const std::string& name,
                 const DecodeLimits& limits = {});

/// Size from the header alone, without decoding, whatever it is. Throws as above.
struct ImageSize {
  int64_t width, height;
};
ImageSize image_size(std::span<const uint8_t> bytes, const std::string& name);

/// "libjpeg-turbo 2.1.5": another version may give other pixels.
std::string jpeg_decoder();

}  // namespace shiftadd::data
