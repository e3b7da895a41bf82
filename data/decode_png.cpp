// Decodes PNG through libpng, which sees a file only after all its checksums have been verified.
#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/error.h"
#include "data/decode_codecs.h"
#include "data/decode_header.h"

namespace shiftadd::data {
namespace {

constexpr uint32_t chunk_type(const char (&text)[5]) {
  return uint32_t{static_cast<uint8_t>(text[0])} << 24 |
         uint32_t{static_cast<uint8_t>(text[1])} << 16 |
         uint32_t{static_cast<uint8_t>(text[2])} << 8 | static_cast<uint8_t>(text[3]);
}
constexpr uint32_t kIhdr = chunk_type("IHDR"), kPlte = chunk_type("PLTE"),
                   kIdat = chunk_type("IDAT"), kIend = chunk_type("IEND"),
                   kExif = chunk_type("eXIf");
constexpr std::size_t kSignature = 8, kChunkFrame = 12;  // bytes; a chunk's length, type and CRC
constexpr int kPaletteColor = 3;

struct PngChunk {
  uint32_t type = 0;
  std::span<const uint8_t> data;
  std::span<const uint8_t> whole;  // with length, type and CRC
  std::string name() const {
    std::string text(4, '?');
    for (int i = 0; i < 4; ++i)
      if ((whole[4 + i] | 32) >= 'a' && (whole[4 + i] | 32) <= 'z')
        text[i] = static_cast<char>(whole[4 + i]);
    return text;
  }
};

// Calls visit(PngChunk) for all chunks up to IEND; false where the file ends before it.
template <class Visit>
bool for_each_chunk(std::span<const uint8_t> bytes, Visit visit) {
  for (std::size_t at = kSignature; at + kChunkFrame <= bytes.size();) {
    const std::size_t length = big32(&bytes[at]);
    if (length > bytes.size() - at - kChunkFrame) return false;
    const PngChunk chunk{big32(&bytes[at + 4]), bytes.subspan(at + 8, length),
                         bytes.subspan(at, kChunkFrame + length)};
    visit(chunk);
    if (chunk.type == kIend) return true;
    at += kChunkFrame + length;
  }
  return false;
}

// What libpng is given: the parts of the file that make the picture, in their order.
struct PngParts {
  std::span<const uint8_t> start;  // signature and IHDR
  std::span<const uint8_t> palette;
  std::span<const uint8_t> data;  // all IDAT chunks, which follow each other
  std::span<const uint8_t> end;
  int64_t width = 0, height = 0, bits = 0;  // bits a pixel
  int color = 0;
  bool interlaced = false;
};

// Source: PNG specification (ISO/IEC 15948), 5.3 and 5.6. Ancillary chunks are verified, too, and
// then left out: nothing is decompressed that the picture does not need.
PngParts checked_parts(std::span<const uint8_t> bytes, const std::string& name) {
  PngParts parts;
  bool data_ended = false;
  const bool complete = for_each_chunk(bytes, [&](const PngChunk& chunk) {
    const std::span<const uint8_t> covered = chunk.whole.subspan(4, 4 + chunk.data.size());
    if (crc32_z(0, covered.data(), covered.size()) != big32(covered.data() + covered.size()))
      throw user_error(name, ": damaged: the checksum of chunk ", chunk.name(),
                       " is wrong: copy the file again from where it came");
    const auto refuse = [&](const char* what) { throw user_error(name, ": broken PNG: ", what); };
    const std::size_t at = chunk.whole.data() - bytes.data();
    if (chunk.type == kIhdr) {
      if (at != kSignature) refuse("a second header");
    } else if (chunk.type == kPlte) {
      if (!parts.palette.empty() || !parts.data.empty()) refuse("a palette out of place");
      parts.palette = chunk.whole;
    } else if (chunk.type == kIdat) {
      if (data_ended) refuse("its IDAT chunks do not follow each other");
      const std::size_t first = parts.data.empty() ? at : parts.data.data() - bytes.data();
      parts.data = bytes.subspan(first, at + chunk.whole.size() - first);
    } else if (chunk.type == kIend) {
      parts.end = chunk.whole;
    } else if (!(chunk.type & 0x20000000)) {
      refuse("it needs a chunk that is not known");
    }
    data_ended = !parts.data.empty() && chunk.type != kIdat;
  });
  if (!complete)
    throw user_error(name, ": the file is cut short, or the length of a chunk is damaged");
  parts.start = bytes.first(kSignature + kChunkFrame + 13);
  const uint8_t* header = &bytes[kSignature + 8];
  parts.width = big32(header);
  parts.height = big32(header + 4);
  parts.color = header[9];
  parts.bits = int64_t{header[8]} * png_samples(parts.color);
  parts.interlaced = header[12] != 0;
  if (parts.color != kPaletteColor)
    parts.palette = {};  // a suggestion for screens of few colours, or nothing
  return parts;
}

// Expands the data once, into nothing: it must give as many bytes as the picture has, and its own
// checksum must be right. libpng would read a stream without its end, and expand without bound one
// that goes on behind the last row.
void check_data(const PngParts& parts, const std::string& name) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) throw failure(name, ": zlib cannot start");
  std::vector<uint8_t> scratch(1 << 16);
  const int64_t expected =
      png_expanded_bytes(parts.width, parts.height, parts.bits, parts.interlaced);
  int64_t left = expected;
  int status = Z_OK;
  bool too_much = false;
  for (std::span<const uint8_t> rest = parts.data; !rest.empty() && status == Z_OK && !too_much;) {
    const std::size_t length = big32(rest.data());
    stream.next_in = const_cast<uint8_t*>(rest.data() + 8);
    stream.avail_in = static_cast<uInt>(length);
    rest = rest.subspan(kChunkFrame + length);
    do {
      stream.next_out = scratch.data();
      stream.avail_out = static_cast<uInt>(scratch.size());
      status = inflate(&stream, Z_NO_FLUSH);
      left -= static_cast<int64_t>(scratch.size()) - stream.avail_out;
      too_much = left < 0;
    } while (status == Z_OK && !too_much && stream.avail_out == 0);
    if (status == Z_BUF_ERROR) status = Z_OK;  // it waits for the next chunk
  }
  inflateEnd(&stream);
  if (too_much)
    throw user_error(name, ": broken PNG: more data than its picture needs, which is ", expected,
                     " bytes for ", parts.width, " x ", parts.height, " pixels");
  if (status == Z_OK) throw user_error(name, ": the file is cut short: its data has no end");
  if (status != Z_STREAM_END) throw user_error(name, ": damaged: its data cannot be expanded");
  if (left > 0) throw user_error(name, ": the file is cut short: less data than its picture needs");
}

// libpng reports errors by a callback that must not return. longjmp (not a C++ exception through C
// frames) leaves the library; no object with a destructor lives between setjmp and longjmp.
class PngReader {
 public:
  explicit PngReader(const PngParts& parts)
      : rest_{parts.start, parts.palette, parts.data, parts.end} {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// Rows will be RGB, or for a palette indices, a byte each.
  bool start() {
    // What warnings are about was verified before.
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error,
                                  [](png_structp, const char*) {});
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) return false;
    if (setjmp(jump_)) return false;
    png_set_read_fn(png_, this, read);
    png_set_crc_action(png_, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);  // verified before
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);     // ours are lower
    png_read_info(png_, info_);
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    if (png_get_color_type(png_, info_) == PNG_COLOR_TYPE_PALETTE) {
      png_set_packing(png_);
    } else {
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_gray_to_rgb(png_);
    }
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  bool read_rows(uint8_t* pixels, int64_t stride, int64_t height) {
    if (setjmp(jump_)) return false;
    for (int pass = 0; pass < passes_; ++pass)
      for (int64_t y = 0; y < height; ++y) png_read_row(png_, pixels + y * stride, nullptr);
    return true;
  }
  std::size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  const char* error() const { return text_; }

 private:
  static void on_error(png_structp png, const char* text) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(self->text_, sizeof self->text_, "%s", text);
    std::longjmp(self->jump_, 1);
  }
  static void read(png_structp png, png_bytep to, std::size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    for (auto& part : self->rest_) {
      const std::size_t some = std::min(count, part.size());
      if (some) std::memcpy(to, part.data(), some);
      part = part.subspan(some);
      to += some;
      count -= some;
    }
    if (count > 0) png_error(png, "it ends too early");
  }

  std::array<std::span<const uint8_t>, 4> rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  std::jmp_buf jump_;
  char text_[128] = "no memory";
};

// Indices at the start of `image` become colours, from the last pixel on, within the same memory.
void look_up_palette(Image& image, std::span<const uint8_t> palette, const std::string& name) {
  for (int64_t i = image.width * image.height - 1; i >= 0; --i) {
    const std::size_t index = image.pixels[i];
    if (3 * index >= palette.size())
      throw user_error(name, ": broken PNG: a pixel has colour ", index, " of a palette of ",
                       palette.size() / 3);
    std::copy_n(&palette[3 * index], 3, &image.pixels[3 * i]);
  }
}

}  // namespace

int png_samples(int color) { return color == 2 ? 3 : color == 4 ? 2 : color == 6 ? 4 : 1; }

int64_t png_expanded_bytes(int64_t width, int64_t height, int64_t bits_per_pixel, bool interlaced) {
  const auto pass = [&](int64_t x, int64_t y, int64_t step_x, int64_t step_y) {
    const int64_t columns = (width - x + step_x - 1) / step_x;
    const int64_t rows = (height - y + step_y - 1) / step_y;
    return columns > 0 && rows > 0 ? rows * (1 + (columns * bits_per_pixel + 7) / 8) : 0;
  };
  if (!interlaced) return pass(0, 0, 1, 1);
  return pass(0, 0, 8, 8) + pass(4, 0, 8, 8) + pass(0, 4, 4, 8) + pass(2, 0, 4, 4) +
         pass(0, 2, 2, 4) + pass(1, 0, 2, 2) + pass(0, 1, 1, 2);
}

void read_png_header(std::span<const uint8_t> bytes, const std::string& name, ImageHeader& header) {
  if (bytes.size() < kSignature + kChunkFrame + 13)
    throw user_error(name, ": the file is cut short");
  if (big32(&bytes[kSignature]) != 13 || big32(&bytes[kSignature + 4]) != kIhdr)
    throw user_error(name, ": broken PNG: it does not start with its header");
  const uint8_t* fields = &bytes[kSignature + 8];
  header.width = big32(fields);
  header.height = big32(fields + 4);
  // Deflate's best ratio is 1032 to 1, and a pixel may be one bit.
  const int64_t depth = std::max<int64_t>(1, fields[8]);
  header.max_pixels_per_byte = std::max<int64_t>(1, 1032 * 8 / (depth * png_samples(fields[9])));
  // Two rows of at most 8 bytes a pixel; interlaced rows are put together in the result.
  header.working_bytes = 2 * 8 * header.width;
  bool data = false;
  const bool complete = for_each_chunk(bytes, [&](const PngChunk& chunk) {
    if (chunk.type == kExif) header.orientation = exif_orientation_of(chunk.data);
    data = data || (chunk.type == kIdat && !chunk.data.empty());
  });
  if (complete && !data) throw user_error(name, ": broken PNG: no IDAT, the picture's data");
}

Image decode_png(std::span<const uint8_t> bytes, const std::string& name) {
  const PngParts parts = checked_parts(bytes, name);
  const bool indexed = parts.color == kPaletteColor;
  const int64_t channels = indexed ? 1 : 3;
  PngReader reader(parts);
  if (!reader.start()) throw user_error(name, ": cannot be decoded: ", reader.error());
  check_data(parts, name);
  if (static_cast<int64_t>(reader.row_bytes()) != channels * parts.width)
    throw failure(name, ": libpng gives rows of ", reader.row_bytes(), " bytes");
  Image image;
  image.width = parts.width;
  image.height = parts.height;
  image.pixels.resize(3 * image.width * image.height);
  if (!reader.read_rows(image.pixels.data(), channels * image.width, image.height))
    throw user_error(name, ": cannot be decoded: ", reader.error());
  if (indexed) look_up_palette(image, parts.palette.subspan(8, parts.palette.size() - 12), name);
  return image;
}

}  // namespace shiftadd::data
