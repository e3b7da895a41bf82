// stb_image, compiled here and nowhere else.
#include <climits>
#include <cstdlib>
#include <memory>

#include "core/error.h"
#include "data/decode_codecs.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_STDIO
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace shiftadd::data {

Image decode_with_stb(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.size() > INT_MAX) throw user_error(name, ": image files above 2 GiB are not supported");
  int width = 0, height = 0, channels = 0;
  // Asked for 3 channels stb_image drops alpha without blending, as Pillow's convert("RGB").
  std::unique_ptr<stbi_uc, decltype(&std::free)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height,
                            &channels, 3),
      &std::free);
  if (!pixels) throw user_error(name, ": cannot be decoded: ", stbi_failure_reason());
  Image image;
  image.width = width;
  image.height = height;
  image.pixels.assign(pixels.get(), pixels.get() + image.width * image.height * 3);
  return image;
}

}  // namespace shiftadd::data
