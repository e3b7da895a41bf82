// Bytes of a JPEG, PNG, BMP or GIF file to RGB.
#pragma once

#include "data/image.h"

namespace shiftadd::data {

/// What convert("RGB") of Pillow gives: gray is replicated, palettes looked up, alpha discarded,
/// 16-bit PNG reduced, CMYK JPEG converted. Only the first frame of a GIF. With exif_orientation a
/// JPEG is turned upright. JPEG goes through libjpeg-turbo where the build found it, all else
/// through stb_image. Throws Error (user) "NAME: reason" for anything unreadable, cut short, empty,
/// or larger than 2^28 pixels (checked against the header before memory is taken).
Image decode_image(std::span<const uint8_t> bytes, const std::string& name,
                   bool exif_orientation = false);

/// Size from the header alone, without decoding. Throws as above.
struct ImageSize {
  int64_t width, height;
};
ImageSize image_size(std::span<const uint8_t> bytes, const std::string& name);

/// "libjpeg-turbo 2.1.5" or "stb_image".
std::string jpeg_decoder();

}  // namespace shiftadd::data
