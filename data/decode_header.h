// What an image file's header claims, checked against limits and the file's size before any memory
// is taken.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace shiftadd::data {

enum class FileKind : uint8_t { kJpeg, kPng, kBmp, kGif };

struct ImageHeader {
  FileKind kind = FileKind::kJpeg;
  int64_t width = 0, height = 0;
  int orientation = 1;              // EXIF's 1..8, of a JPEG or PNG
  int64_t scans = 1;                // JPEG: passes over the picture
  int64_t working_bytes = 0;        // what decoding needs beside the file and the pixels
  int64_t max_pixels_per_byte = 0;  // no coder of this format packs more pixels into a byte
};

/// The format that the first bytes announce (8 are enough), or nothing: not an image we read.
std::optional<FileKind> file_kind(std::span<const uint8_t> first_bytes);

/// Recognises the format and reads the header. Throws Error (user) "NAME: reason": empty, unknown,
/// broken or cut short before the header ends.
ImageHeader parse_header(std::span<const uint8_t> bytes, const std::string& name);
/// Throws Error (user) for more than `max_pixels` pixels, or more than `file_bytes` bytes can hold.
void check_size(const ImageHeader& header, int64_t file_bytes, const std::string& name,
                int64_t max_pixels);
/// Both.
ImageHeader read_header(std::span<const uint8_t> bytes, const std::string& name,
                        int64_t max_pixels);

/// The parts of parse_header by format. Where there is no size they leave a width or height of 0 or
/// less, or throw.
void read_jpeg_header(std::span<const uint8_t> bytes, ImageHeader& header);
void read_png_header(std::span<const uint8_t> bytes, const std::string& name, ImageHeader& header);
void read_bmp_header(std::span<const uint8_t> bytes, const std::string& name, ImageHeader& header);
void read_gif_header(std::span<const uint8_t> bytes, const std::string& name, ImageHeader& header);

/// EXIF orientation (1..8) of a TIFF block: an integer of any type, one value, in the first
/// directory; 1 where it is absent or malformed. Every offset is checked.
int exif_orientation_of(std::span<const uint8_t> tiff);

/// Unsigned integers of a file; the caller has checked that the bytes are there.
inline uint32_t little16(const uint8_t* p) { return p[0] | uint32_t{p[1]} << 8; }
inline uint32_t little32(const uint8_t* p) { return little16(p) | little16(p + 2) << 16; }
inline uint32_t big16(const uint8_t* p) { return uint32_t{p[0]} << 8 | p[1]; }
inline uint32_t big32(const uint8_t* p) { return big16(p) << 16 | big16(p + 2); }

}  // namespace shiftadd::data
