// Encodes PNG by stb_image_write, which no other file includes.
#include "data/encode.h"

#include "core/error.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>

namespace shiftadd::data {
namespace {

void append(void* context, void* bytes, int size) {
  auto& out = *static_cast<std::vector<uint8_t>*>(context);
  const auto* start = static_cast<const uint8_t*>(bytes);
  out.insert(out.end(), start, start + size);
}

}  // namespace

std::vector<uint8_t> encode_png(const Image& image) {
  std::vector<uint8_t> out;
  const auto width = static_cast<int>(image.width), height = static_cast<int>(image.height);
  if (!stbi_write_png_to_func(append, &out, width, height, 3, image.pixels.data(), width * 3))
    throw failure("[encode] cannot encode a PNG of ", width, "x", height);
  return out;
}

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  std::vector<uint8_t> out;
  const auto width = static_cast<int>(image.width), height = static_cast<int>(image.height);
  if (!stbi_write_jpg_to_func(append, &out, width, height, 3, image.pixels.data(), quality))
    throw failure("[encode] cannot encode a JPEG of ", width, "x", height);
  return out;
}

}  // namespace shiftadd::data
