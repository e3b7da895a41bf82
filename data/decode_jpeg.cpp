// Decodes JPEG through libjpeg-turbo.
#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <vector>

#include "core/error.h"
#include "data/decode.h"
#include "data/decode_codecs.h"

// jpeglib.h leaves the declaration of size_t and FILE to its user, and jerror.h comes after it.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

namespace shiftadd::data {

namespace {

// libjpeg reports errors by a callback that must not return. longjmp (not a C++ exception through C
// frames) leaves the library; no object with a destructor lives between setjmp and longjmp.
struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] void fail(j_common_ptr info) {
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  manager->base.format_message(info, manager->text);
  std::longjmp(manager->jump, 1);
}

// Warnings that mean missing or damaged picture data are errors here; harmless ones (stray bytes
// between segments, unknown revision numbers) are not.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      fail(info);
    default:
      break;
  }
}

class JpegReader {
 public:
  explicit JpegReader(std::span<const uint8_t> bytes) : bytes_(bytes) {
    info_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = fail;
    errors_.base.emit_message = on_message;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  bool start() {
    if (setjmp(errors_.jump)) return false;
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, bytes_.data(), bytes_.size());
    jpeg_read_header(&info_, TRUE);
    const bool cmyk = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info_);
    return true;
  }
  // Up to `count` of the next rows; false after an error.
  bool read(uint8_t** rows, unsigned count, unsigned* got) {
    if (setjmp(errors_.jump)) return false;
    *got = jpeg_read_scanlines(&info_, rows, count);
    return true;
  }
  bool finish() {
    if (setjmp(errors_.jump)) return false;
    jpeg_finish_decompress(&info_);
    return true;
  }
  const jpeg_decompress_struct& info() const { return info_; }
  const char* error() const { return errors_.text; }

 private:
  std::span<const uint8_t> bytes_;
  jpeg_decompress_struct info_{};
  ErrorManager errors_{};
};

// a * b / 255, rounded.
int multiply_255(int a, int b) {
  const int product = a * b + 128;
  return (product + (product >> 8)) >> 8;
}

// CMYK as Adobe stores it (inverted: 255 is no ink) to RGB by Pillow's formula: white left by
// black, less ink of it.
void cmyk_to_rgb(const uint8_t* from, uint8_t* to, int64_t pixels) {
  for (int64_t i = 0; i < pixels; ++i, from += 4, to += 3) {
    const int light = from[3];
    for (int c = 0; c < 3; ++c)
      to[c] = static_cast<uint8_t>(std::max(0, light - multiply_255(255 - from[c], light)));
  }
}

}  // namespace

Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name) {
  JpegReader reader(bytes);
  if (!reader.start()) throw user_error(name, ": cannot be decoded: ", reader.error());
  Image image;
  image.width = reader.info().output_width;
  image.height = reader.info().output_height;
  image.pixels.resize(image.width * image.height * 3);
  const bool cmyk = reader.info().out_color_space == JCS_CMYK;
  std::vector<uint8_t> cmyk_row(cmyk ? image.width * 4 : 0);
  constexpr int64_t kRows = 16;  // one row of blocks at most, whatever the sampling
  std::array<uint8_t*, kRows> rows;
  for (int64_t y = 0; y < image.height;) {
    unsigned wanted = 1, got = 0;
    if (cmyk) {
      rows[0] = cmyk_row.data();
    } else {
      wanted = static_cast<unsigned>(std::min(kRows, image.height - y));
      for (unsigned i = 0; i < wanted; ++i) rows[i] = image.row(y + i);
    }
    if (!reader.read(rows.data(), wanted, &got))
      throw user_error(name, ": cannot be decoded: ", reader.error());
    if (got == 0) throw user_error(name, ": cut short at row ", y);
    if (cmyk) cmyk_to_rgb(cmyk_row.data(), image.row(y), image.width);
    y += got;
  }
  if (!reader.finish()) throw user_error(name, ": cannot be decoded: ", reader.error());
  return image;
}

#define SHIFTADD_TEXT_OF(value) #value
#define SHIFTADD_TEXT(value) SHIFTADD_TEXT_OF(value)
std::string jpeg_decoder() { return "libjpeg-turbo " SHIFTADD_TEXT(LIBJPEG_TURBO_VERSION); }

}  // namespace shiftadd::data
