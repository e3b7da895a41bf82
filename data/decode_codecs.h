// The decoders behind decode_image, one for each format.
#pragma once

#include <span>
#include <string>

#include "data/image.h"

namespace shiftadd::data {

/// Each checks everything that its format lets it check, and throws Error (user) "NAME: reason"
/// rather than guess. The header has been read and held against the limits (read_header).

/// libjpeg-turbo with its defaults (accurate integer DCT, smooth chroma), as Pillow uses it.
Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name);

/// libpng, after the checksum of every chunk and the compressed data have been verified; alpha is
/// dropped, 16 bits are reduced to the high 8. An index beyond the palette is an error.
Image decode_png(std::span<const uint8_t> bytes, const std::string& name);

/// Bytes that the data of a PNG expand to, which libpng is given only after they were counted: its
/// rows, each behind a filter byte; where it is interlaced, those of seven smaller pictures.
int64_t png_expanded_bytes(int64_t width, int64_t height, int64_t bits_per_pixel, bool interlaced);
/// Samples of a pixel of that PNG colour type.
int png_samples(int color);

/// Uncompressed BMP of Windows and OS/2 with 1, 4, 8, 16, 24 or 32 bits a pixel; samples of fewer
/// than 8 bits are scaled as Pillow scales them (v * 255 / most, rounded down).
Image decode_bmp(std::span<const uint8_t> bytes, const std::string& name);

/// The first frame of a GIF. Where it leaves the canvas bare, the colour is, as in Pillow, that of
/// its transparent index, or else of index 0.
Image decode_gif(std::span<const uint8_t> bytes, const std::string& name);

}  // namespace shiftadd::data
