// The two decoding libraries behind decode_image.
#pragma once

#include <span>
#include <string>

#include "data/image.h"

namespace shiftadd::data {

/// libjpeg-turbo with its defaults (accurate integer DCT, smooth chroma), as Pillow uses it. Throws
/// Error (user). Only where SHIFTADD_HAVE_JPEG is defined.
Image decode_with_libjpeg(std::span<const uint8_t> bytes, const std::string& name);
std::string libjpeg_version();

/// JPEG, PNG, BMP, GIF (first frame) through stb_image; alpha is dropped. Throws Error (user).
Image decode_with_stb(std::span<const uint8_t> bytes, const std::string& name);

}  // namespace shiftadd::data
