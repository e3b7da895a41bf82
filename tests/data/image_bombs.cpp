// See image_bombs.h.
#include "tests/data/image_bombs.h"

#include <filesystem>
#include <fstream>

#include "data/decode_codecs.h"

namespace shiftadd::test {
namespace {

constexpr uint8_t kGray = 0, kPalette = 3, kRgba = 6;
constexpr int64_t kMiB = int64_t{1} << 20;

// A PNG of zeros: its data expand to what its size needs, or to `expanded` bytes.
Bytes black_png(uint32_t width, uint32_t height, uint8_t depth, uint8_t color, bool interlaced,
                std::size_t expanded = 0) {
  PngMaker png{.width = width, .height = height, .depth = depth, .color = color};
  png.interlaced = interlaced;
  if (color == kPalette) png.palette = Bytes(3, 7);
  if (expanded == 0)
    expanded = data::png_expanded_bytes(width, height, depth * png.channels(), interlaced);
  return png.file(zlib_zeros(expanded));
}

// The header of a huge JPEG, and as many bytes as its pixels need at least.
Bytes long_jpeg(const JpegMaker& maker, uint32_t width, uint32_t height) {
  Bytes bytes = claiming(maker.file(), width, height);
  bytes.resize(bytes.size() - 2 + std::size_t{width} * height / 1024);
  append(bytes, Bytes{0xFF, 0xD9});
  return bytes;
}

// A whole GIF of one colour, by the longest codes that LZW has.
Bytes flat_gif(uint32_t width, uint32_t height) {
  GifMaker maker{.canvas_width = width, .canvas_height = height, .width = width, .height = height};
  maker.global = Bytes(12, 90);
  maker.end = false;
  Bytes bytes = maker.file(), data;
  bytes.resize(bytes.size() - 2);  // the end of the data, and of the file
  uint64_t buffer = 0;
  int have = 0, bits = 3;
  const auto put = [&](uint32_t code) {
    buffer |= uint64_t{code} << have;
    for (have += bits; have >= 8; have -= 8, buffer >>= 8)
      data.push_back(static_cast<uint8_t>(buffer));
  };
  // Clear, 0, and then the code that is just being made: one index more than the last.
  for (int64_t left = int64_t{width} * height; left > 0;) {
    put(4);
    bits = 3;
    put(0);
    --left;
    for (uint32_t next = 6; next < 4096 && left > 0; ++next) {
      put(next);
      left -= next - 4;
      if (next + 1 == uint32_t{1} << bits && bits < 12) ++bits;
    }
    bits = 12;
  }
  put(5);
  data.push_back(static_cast<uint8_t>(buffer));
  append_gif_data(bytes, data);
  return bytes;
}

Bytes bmp_of(int32_t width, int32_t height, uint16_t bits, std::size_t pixel_bytes) {
  BmpMaker bmp{.width = width, .height = height, .bits = bits};
  if (bits <= 8) bmp.palette = Bytes(std::size_t{4} << bits, 9);
  bmp.pixels = Bytes(pixel_bytes);
  return bmp.file();
}

}  // namespace

std::vector<NamedImage> image_bombs() {
  const std::string pixels = "exceed the limit of 89478485", memory = "above the limit of 512 MiB";
  const JpegMaker color{.width = 16, .height = 16}, gray{.width = 16, .components = 1};
  const JpegMaker progressive{.progressive = true}, cmyk{.components = 4, .progressive = true};
  const JpegMaker scans{.width = 3000, .height = 3000, .components = 1, .progressive = true};
  JpegMaker tiny = scans, thin = scans;
  tiny.width = tiny.height = 8;
  thin.width = 9000;
  thin.height = 1;
  GifMaker gif{.canvas_width = 65535, .canvas_height = 65535};
  gif.global = Bytes(12);
  gif.indices = Bytes(12);
  BmpMaker rle{.width = 9000, .height = 9000, .bits = 8, .compression = 1};
  rle.pixels = Bytes(2000, 255);
  return {
      {"expands.png", "more data than its picture needs",
       black_png(32, 32, 8, 2, false, 200 * kMiB)},
      {"expands-indexed.png", "more data than", black_png(9, 9, 8, 3, true, 100 * kMiB)},
      {"gray.png", pixels, black_png(30000, 29000, 1, kGray, false)},
      {"palette.png", pixels, black_png(9500, 9500, 4, kPalette, false, 1000)},
      {"rgba16.png", pixels, black_png(9500, 9500, 16, kRgba, true, 1000)},
      {"one-row.png", memory, black_png(89'000'000, 1, 1, kGray, false)},
      {"wide.png", pixels, black_png(0x7FFFFFFF, 1, 1, kGray, false, 1000)},
      {"long.png", "MiB for 32 x 32 pixels exceed the limit", black_png(32, 32, 8, 2, false),
       300 * kMiB},
      {"color.jpg", pixels, claiming(color.file(), 65500, 65500)},
      {"progressive.jpg", memory, long_jpeg(progressive, 9000, 9000)},
      {"progressive-cmyk.jpg", memory, long_jpeg(cmyk, 7500, 7500)},
      {"separate.jpg", memory, long_jpeg({.separate = true}, 9000, 9000)},
      {"arithmetic.jpg", memory,
       claiming(JpegMaker{.progressive = true, .arithmetic = true}.file(), 9000, 9000)},
      {"scans.jpg", "scans of 3000 x 3000 pixels exceed", with_scans(scans.file(), 200)},
      {"tiny-scans.jpg", "scans of 8 x 8 pixels exceed", with_scans(tiny.file(), 70'000)},
      {"thin-scans.jpg", "scans of 9000 x 1 pixels exceed", with_scans(thin.file(), 1000)},
      {"long.jpg", "MiB for 16 x 3 pixels exceed the limit", gray.file(), 400 * kMiB},
      {"canvas.gif", pixels, gif.file()},
      {"frames.gif", pixels, flat_gif(10000, 9000)},
      {"huge.bmp", pixels, bmp_of(30000, -30000, 24, 100)},
      {"thin.bmp", pixels, bmp_of(1, 89'478'486, 1, 100)},
      {"full.bmp", pixels, bmp_of(20000, 10000, 24, 100), 600 * kMiB},
      {"rle.bmp", "run-length", rle.file()},
  };
}

std::vector<NamedImage> largest_images() {
  GifMaker bare{.canvas_width = 65535, .canvas_height = 1365};
  bare.global = Bytes(12, 80);
  bare.indices = Bytes(12);
  const JpegMaker wide{.width = 65500, .height = 1366, .flat = true};
  JpegMaker gray{.width = 9400, .height = 9400, .components = 1, .progressive = true, .flat = true};
  JpegMaker color = gray;
  color.components = 3;
  color.width = color.height = 7600;
  color.full_chroma = true;
  JpegMaker arithmetic = color;
  arithmetic.arithmetic = true;
  JpegMaker cmyk = wide;
  cmyk.components = 4;
  JpegMaker small = gray;
  small.width = small.height = 2896;
  JpegMaker tiny = gray, thin = gray;
  tiny.width = tiny.height = 8;
  thin.width = 9000;
  thin.height = 1;
  return {
      {"gray1.png", "", black_png(9459, 9459, 1, kGray, false)},
      {"rgba16.png", "", black_png(9459, 9459, 16, kRgba, false)},
      {"palette.png", "", black_png(9459, 9459, 8, kPalette, false)},
      {"interlaced.png", "", black_png(9400, 9400, 8, 2, true)},
      {"rows.png", "", black_png(16'000'000, 5, 8, 2, false)},
      {"baseline.jpg", "", wide.file()},
      {"cmyk.jpg", "", cmyk.file()},
      {"progressive.jpg", "", color.file()},
      {"arithmetic.jpg", "", arithmetic.file()},
      {"scans-gray.jpg", "", with_scans(gray.file(), 20)},
      {"scans-color.jpg", "", with_scans(color.file(), 20)},
      {"scans-small.jpg", "", with_scans(small.file(), 26)},
      {"scans-tiny.jpg", "", with_scans(tiny.file(), 65'500)},
      {"scans-thin.jpg", "", with_scans(thin.file(), 900)},
      {"canvas.gif", "", bare.file()},
      {"frame.gif", "", flat_gif(65535, 1365)},
      {"24.bmp", "", bmp_of(10000, 8900, 24, std::size_t{30000} * 8900)},
      {"1.bmp", "", bmp_of(9440, 9440, 1, std::size_t{1180} * 9440)},
  };
}

std::string write_image(const std::string& folder, const NamedImage& image) {
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/" + image.name;
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(image.bytes.data()),
             static_cast<std::streamsize>(image.bytes.size()));
  if (image.zeros_behind > 0)
    std::filesystem::resize_file(path, image.bytes.size() + image.zeros_behind);
  return path;
}

}  // namespace shiftadd::test
