// Chooses the decoder, checks what it is given, and turns photographs upright.
#include "data/decode.h"

#include <algorithm>

#include "core/error.h"
#include "data/decode_codecs.h"
#include "data/decode_header.h"

namespace shiftadd::data {

namespace {

#ifdef SHIFTADD_HAVE_JPEG
constexpr bool kHaveLibjpeg = true;
#else
constexpr bool kHaveLibjpeg = false;
#endif

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

// A GIF's transparent pixels keep their palette colour in Pillow, while stb_image leaves them
// undrawn: the transparency bit of the first frame is cleared in a copy.
Image decode_gif(std::span<const uint8_t> bytes, const ImageHeader& header,
                 const std::string& name) {
  if (header.gif_control_flags == 0 || !(bytes[header.gif_control_flags] & 1))
    return decode_with_stb(bytes, name);
  std::vector<uint8_t> opaque(bytes.begin(), bytes.end());
  opaque[header.gif_control_flags] &= 0xFE;
  return decode_with_stb(opaque, name);
}

Image decode_kind(std::span<const uint8_t> bytes, const ImageHeader& header,
                  const std::string& name) {
#ifdef SHIFTADD_HAVE_JPEG
  if (header.kind == FileKind::kJpeg) return decode_with_libjpeg(bytes, name);
#endif
  if (header.kind == FileKind::kGif) return decode_gif(bytes, header, name);
  return decode_with_stb(bytes, name);
}

}  // namespace

Image decode_image(std::span<const uint8_t> bytes, const std::string& name, bool exif_orientation) {
  // libjpeg notices a missing end marker itself.
  const ImageHeader header = read_header(bytes, name, !kHaveLibjpeg);
  if (!header.complete) throw user_error(name, ": the file is cut short");
  if (!header.tables_fit) throw user_error(name, ": broken Huffman table");
  Image image = decode_kind(bytes, header, name);
  if (image.width != header.width || image.height != header.height)
    throw user_error(name, ": decodes to another size than its header gives");
  return exif_orientation && header.orientation > 1 ? upright(image, header.orientation) : image;
}

ImageSize image_size(std::span<const uint8_t> bytes, const std::string& name) {
  const ImageHeader header = read_header(bytes, name, false);
  return {header.width, header.height};
}

std::string jpeg_decoder() {
#ifdef SHIFTADD_HAVE_JPEG
  return libjpeg_version();
#else
  return "stb_image";
#endif
}

}  // namespace shiftadd::data
