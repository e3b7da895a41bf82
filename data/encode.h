// RGB images to PNG or JPEG bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "data/image.h"

namespace shiftadd::data {

/// Through stb_image_write: every build draws the same files.
std::vector<uint8_t> encode_png(const Image& image);
std::vector<uint8_t> encode_jpeg(const Image& image, int quality);  // 1..100

}  // namespace shiftadd::data
