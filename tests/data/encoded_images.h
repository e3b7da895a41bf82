// Image files made by the tests, whole or wrong on purpose: PNG, BMP, GIF, progressive JPEG.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/image.h"

namespace shiftadd::test {

using Bytes = std::vector<uint8_t>;

void put_big32(Bytes& bytes, uint32_t value);
void put_little16(Bytes& bytes, uint32_t value);
void put_little32(Bytes& bytes, uint32_t value);
inline void append(Bytes& bytes, std::span<const uint8_t> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

/// A chunk with its length and the right checksum.
Bytes png_chunk(const std::string& type, std::span<const uint8_t> data);
Bytes zlib_bytes(std::span<const uint8_t> data);
Bytes zlib_zeros(std::size_t count);  // of so many zeros

/// A PNG in parts, so that tests can leave one out, damage or repeat it.
struct PngMaker {
  uint32_t width = 5, height = 3;
  uint8_t depth = 8, color = 2;
  bool interlaced = false;
  Bytes palette = {};             // 3 bytes a colour
  Bytes before = {}, after = {};  // whole chunks before and behind the data
  /// Sample `c` of a pixel, of which the low `depth` bits count.
  std::function<uint32_t(uint32_t x, uint32_t y, int c)> sample = [](uint32_t x, uint32_t y,
                                                                     int c) {
    return 31 * x + 17 * y + 71 * static_cast<uint32_t>(c) + 3;
  };

  int channels() const { return color == 2 ? 3 : color == 4 ? 2 : color == 6 ? 4 : 1; }
  uint32_t stored(uint32_t x, uint32_t y, int c) const {
    return sample(x, y, c) & ((uint64_t{1} << depth) - 1);
  }
  Bytes rows() const;  // unfiltered, as they are compressed
  Bytes file(std::span<const uint8_t> compressed) const;
  Bytes file() const { return file(zlib_bytes(rows())); }
};

/// A BMP of any header: what its fields say is what is written, true or not.
struct BmpMaker {
  uint32_t header = 40;
  int32_t width = 5, height = 3;
  uint16_t planes = 1, bits = 24;
  uint32_t compression = 0, colors = 0;  // colors: the header's count
  std::vector<uint32_t> masks = {};      // written in or behind the header
  Bytes palette = {};                    // as stored
  Bytes pixels = {};                     // rows as stored, padded
  int32_t offset_shift = 0;              // added to the right offset of the pixels

  Bytes file() const;
};

/// A GIF of one frame whose data are `codes`, each of code_size + 1 bits: so many as fit before the
/// codes would grow, then a clear code.
struct GifMaker {
  uint32_t canvas_width = 4, canvas_height = 3, left = 0, top = 0, width = 4, height = 3;
  Bytes global = {}, local = {};  // 3 bytes a colour; a power of two of them
  bool interlaced = false;
  int transparent = -1;
  uint8_t code_size = 2;
  Bytes indices = {};
  bool end = true;

  Bytes file() const;
};

/// Compressed data in blocks, and the end of the file.
void append_gif_data(Bytes& bytes, std::span<const uint8_t> data);

/// A JPEG of noise, or all black.
struct JpegMaker {
  int width = 5, height = 3, components = 3;  // 1: gray, 3: colour, 4: CMYK
  bool progressive = false, arithmetic = false;
  bool separate = false;     // a scan for each component
  bool full_chroma = false;  // colour of as many samples as brightness
  bool flat = false;

  Bytes file() const;
};
/// A progressive JPEG whose first scan is there `copies` times: the same picture.
Bytes with_scans(const Bytes& once, int copies);
/// The same bytes, but the header claims another size.
Bytes claiming(Bytes jpeg, uint32_t width, uint32_t height);

/// A gray progressive JPEG of noise whose first scan is there `copies` times: the same picture.
Bytes progressive_jpeg(int width, int height, int copies);
/// An ordinary colour JPEG.
Bytes baseline_jpeg(int width, int height);

/// What a decode gave, for comparisons: the error's text, or the size and all pixels.
std::string outcome_of(std::span<const uint8_t> bytes, bool exif_orientation = false);

}  // namespace shiftadd::test
