// Decodes uncompressed bitmaps of Windows and OS/2, with every size and index checked.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "data/decode_codecs.h"
#include "data/decode_header.h"

namespace shiftadd::data {
namespace {

using Color = std::array<uint8_t, 3>;  // red, green, blue

struct BmpLayout {
  int64_t width = 0, height = 0;  // height as stored: negative where rows run from top to bottom
  int64_t bits = 0;               // a pixel
  int64_t pixels_at = 0;          // offset of the rows in the file
  int64_t palette_at = 0, entry_bytes = 4, entries = 0;
  std::array<uint32_t, 3> masks{};  // red, green, blue; of 16 and 32 bits a pixel

  int64_t row_bytes() const { return (width * bits + 31) / 32 * 4; }
};

// Red, green and blue, each one run of ones within the pixel and apart from the others.
void check_masks(const BmpLayout& layout, const std::string& name) {
  uint64_t seen = layout.bits == 16 ? ~uint64_t{0xFFFF} : ~uint64_t{0xFFFFFFFF};
  for (const uint32_t mask : layout.masks) {
    const bool one_run =
        mask != 0 && std::popcount(mask) + std::countl_zero(mask) + std::countr_zero(mask) == 32;
    if (!one_run || (seen & mask) != 0)
      throw user_error(name, ": broken BMP: its colour masks are not three separate runs of bits");
    seen |= mask;
  }
}

// Source: BITMAPFILEHEADER, BITMAPCOREHEADER (OS/2 1), OS22XBITMAPHEADER (OS/2 2),
// BITMAPINFOHEADER and its versions 2 to 5.
BmpLayout read_layout(std::span<const uint8_t> bytes, const std::string& name) {
  constexpr int64_t kFileHeader = 14, kCore = 12, kShortest = 16, kOs2 = 64;
  constexpr int64_t kInfo = 40, kWithMasks = 52, kWithAlpha = 56, kVersion4 = 108, kVersion5 = 124;
  const auto size = static_cast<int64_t>(bytes.size());
  const auto refuse_cut = [&](int64_t needed) {
    if (size < needed) throw user_error(name, ": BMP header is cut short");
  };
  refuse_cut(kFileHeader + kCore);
  BmpLayout layout;
  layout.pixels_at = little32(&bytes[10]);
  const int64_t header = little32(&bytes[kFileHeader]);
  const std::array known{kCore,      kShortest, kInfo,     kWithMasks,
                         kWithAlpha, kOs2,      kVersion4, kVersion5};
  if (std::find(known.begin(), known.end(), header) == known.end())
    throw user_error(name, ": a BMP header of ", header,
                     " bytes is not known: save the image again, as PNG for example");
  refuse_cut(kFileHeader + header);
  layout.palette_at = kFileHeader + header;
  const uint8_t* fields = &bytes[kFileHeader];
  uint32_t planes, compression = 0, colors = 0;
  if (header == kCore) {
    layout.width = little16(fields + 4);
    layout.height = little16(fields + 6);
    planes = little16(fields + 8);
    layout.bits = little16(fields + 10);
    layout.entry_bytes = 3;
  } else {
    layout.width = static_cast<int32_t>(little32(fields + 4));
    layout.height = static_cast<int32_t>(little32(fields + 8));
    planes = little16(fields + 12);
    layout.bits = little16(fields + 14);
    if (header >= kInfo) {
      compression = little32(fields + 16);
      colors = little32(fields + 32);
    }
  }
  const int64_t bits = layout.bits;
  const bool masked = header != kOs2 && (compression == 3 || compression == 6);
  if (compression != 0 && !masked)
    throw user_error(name,
                     ": run-length coded or embedded BMP is not supported: save it uncompressed");
  if (planes != 1 ||
      !(bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32) ||
      (masked && bits != 16 && bits != 32))
    throw user_error(name, ": broken or unusual BMP: ", planes, " planes of ", bits,
                     " bits a pixel", masked ? " with colour masks" : "",
                     ", expected 1 plane of 1, 4, 8, 16, 24 or 32 (masks: 16 or 32)");
  if (bits == 16) layout.masks = {0x7C00, 0x03E0, 0x001F};
  if (bits == 32) layout.masks = {0xFF0000, 0x00FF00, 0x0000FF};
  if (masked) {
    // Behind the oldest header; within the later ones, at the same place.
    constexpr int64_t kMasksAt = kFileHeader + kInfo;
    if (header == kInfo) layout.palette_at += compression == 6 ? 16 : 12;
    refuse_cut(layout.palette_at);
    for (int c = 0; c < 3; ++c) layout.masks[c] = little32(&bytes[kMasksAt + 4 * c]);
    check_masks(layout, name);
  }
  // The palette lies between the header and the rows. Without a count it has 2^bits entries, or
  // (OS/2 writes such) as many as fit there.
  const int64_t room = layout.pixels_at - layout.palette_at;
  if (room < int64_t{colors} * layout.entry_bytes)
    throw user_error(name, ": broken BMP: pixels are said to start at byte ", layout.pixels_at,
                     ", within the header or the palette of ", colors, " colours");
  if (bits <= 8) {
    layout.entries = std::min(int64_t{1} << bits, room / layout.entry_bytes);
    if (colors != 0) layout.entries = std::min<int64_t>(layout.entries, colors);
  }
  return layout;
}

// Samples of 1 to 32 bits to 8: scaled up as Pillow does, or the high 8 bits.
class SampleReader {
 public:
  explicit SampleReader(uint32_t mask)
      : mask_(mask),
        shift_(std::countr_zero(mask) + std::max(0, std::popcount(mask) - 8)),
        most_(std::popcount(mask) >= 8 ? 255 : (1u << std::popcount(mask)) - 1) {}
  uint8_t operator()(uint32_t pixel) const {
    const uint32_t value = (pixel & mask_) >> shift_;
    return static_cast<uint8_t>(most_ == 255 ? value : value * 255 / most_);
  }

 private:
  uint32_t mask_;
  int shift_;
  uint32_t most_;
};

void read_indexed_row(const uint8_t* from, const BmpLayout& layout,
                      const std::vector<Color>& palette, const std::string& name, uint8_t* to) {
  const int64_t per_byte = 8 / layout.bits;
  for (int64_t x = 0; x < layout.width; ++x, to += 3) {
    const int64_t shift = 8 - layout.bits * (x % per_byte + 1);  // the first pixel is the highest
    const std::size_t index = from[x / per_byte] >> shift & ((1 << layout.bits) - 1);
    if (index >= palette.size())
      throw user_error(name, ": broken BMP: a pixel has colour ", index, " of a palette of ",
                       palette.size());
    std::copy(palette[index].begin(), palette[index].end(), to);
  }
}

void read_masked_row(const uint8_t* from, const BmpLayout& layout, uint8_t* to) {
  const std::array samples{SampleReader(layout.masks[0]), SampleReader(layout.masks[1]),
                           SampleReader(layout.masks[2])};
  for (int64_t x = 0; x < layout.width; ++x, from += layout.bits / 8) {
    const uint32_t pixel = layout.bits == 16 ? little16(from) : little32(from);
    for (const SampleReader& sample : samples) *to++ = sample(pixel);
  }
}

void read_rgb_row(const uint8_t* from, const BmpLayout& layout, uint8_t* to) {
  for (int64_t x = 0; x < layout.width; ++x, from += 3, to += 3)
    std::reverse_copy(from, from + 3, to);
}

}  // namespace

void read_bmp_header(std::span<const uint8_t> bytes, const std::string& name, ImageHeader& header) {
  const BmpLayout layout = read_layout(bytes, name);
  header.width = layout.width;
  header.height = std::llabs(layout.height);
  header.max_pixels_per_byte = std::max<int64_t>(1, 8 / layout.bits);
}

Image decode_bmp(std::span<const uint8_t> bytes, const std::string& name) {
  const BmpLayout layout = read_layout(bytes, name);
  Image image;
  image.width = layout.width;
  image.height = std::llabs(layout.height);
  // The last row may lack its padding.
  const int64_t end = layout.pixels_at + layout.row_bytes() * (image.height - 1) +
                      (layout.width * layout.bits + 7) / 8;
  if (end > static_cast<int64_t>(bytes.size())) throw user_error(name, ": the file is cut short");
  std::vector<Color> palette;
  for (int64_t i = 0; i < layout.entries; ++i) {
    const uint8_t* entry = &bytes[layout.palette_at + i * layout.entry_bytes];
    palette.push_back({entry[2], entry[1], entry[0]});
  }
  image.pixels.resize(3 * image.width * image.height);
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* from = &bytes[layout.pixels_at + y * layout.row_bytes()];
    uint8_t* to = image.row(layout.height < 0 ? y : image.height - 1 - y);
    if (layout.bits <= 8)
      read_indexed_row(from, layout, palette, name, to);
    else if (layout.bits == 24)
      read_rgb_row(from, layout, to);
    else
      read_masked_row(from, layout, to);
  }
  return image;
}

}  // namespace shiftadd::data
