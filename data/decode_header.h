// What an image file's header claims, checked against the file's size before any memory is taken.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace shiftadd::data {

enum class FileKind : uint8_t { kJpeg, kPng, kBmp, kGif };

struct ImageHeader {
  FileKind kind = FileKind::kJpeg;
  int64_t width = 0, height = 0;
  int orientation = 1;   // EXIF's 1..8, JPEG only
  bool complete = true;  // the container's end was seen: end marker, last chunk, all rows
  bool tables_fit =
      true;  // JPEG read whole: no Huffman table claims more than the 256 codes there are
  std::size_t gif_control_flags =
      0;  // GIF: offset of the first frame's control flags, 0 if it has none
  int64_t max_pixels_per_byte = 0;  // no coder of this format packs more pixels into a byte
};

/// Recognises the format by its first bytes and reads the header; `whole` also follows a JPEG's
/// entropy-coded data to the end marker (otherwise `complete` stays true there). Throws Error
/// (user) "NAME: reason": empty, unknown, no size, more than 2^28 pixels, or more pixels than so
/// few bytes can hold.
ImageHeader read_header(std::span<const uint8_t> bytes, const std::string& name, bool whole);

/// The JPEG part of read_header: size, orientation, completeness; leaves width 0 where no frame
/// header is found.
void read_jpeg_header(std::span<const uint8_t> bytes, bool whole, ImageHeader& header);

/// EXIF orientation (1..8) of a TIFF block; 1 where it is absent or malformed. Every offset is
/// checked.
int exif_orientation_of(std::span<const uint8_t> tiff);

}  // namespace shiftadd::data
