// BMP: every header's pixels, palettes that are short, long or overrun, masks that make no sense.
#include "core/error.h"
#include "core/io/files.h"
#include "data/decode.h"
#include "tests/data/encoded_images.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;

namespace {

// Colour i of a palette is (i + 1, 2 i, 255 - i); stored blue first, with or without a fourth byte.
Bytes palette_of(uint32_t colors, bool three_bytes) {
  Bytes palette;
  for (uint32_t i = 0; i < colors; ++i) {
    append(palette, Bytes{static_cast<uint8_t>(255 - i), static_cast<uint8_t>(2 * i),
                          static_cast<uint8_t>(i + 1)});
    if (!three_bytes) palette.push_back(77);
  }
  return palette;
}

// Rows of 5 x 3 pixels, `value(x, y)` each, of `bits` bits: packed from the high bit, or (16 bits
// and more) little-endian.
template <class Value>
Bytes rows_of(int bits, Value value) {
  Bytes rows;
  for (uint32_t y = 0; y < 3; ++y) {
    const std::size_t start = rows.size();
    for (uint32_t x = 0; x < 5; ++x) {
      if (bits >= 8) {
        for (int shift = 0; shift < bits; shift += 8)
          rows.push_back(static_cast<uint8_t>(value(x, y) >> shift));
        continue;
      }
      if (x * bits % 8 == 0) rows.push_back(0);
      rows.back() |= value(x, y) << (8 - bits - x * bits % 8);
    }
    while ((rows.size() - start) % 4) rows.push_back(0);
  }
  return rows;
}

uint32_t index_at(uint32_t x, uint32_t y, uint32_t colors) { return (3 * x + y) % colors; }

BmpMaker indexed(uint32_t header, uint16_t bits, uint32_t colors) {
  BmpMaker maker{.header = header, .bits = bits};
  maker.palette = palette_of(colors, header == 12);
  maker.pixels = rows_of(bits, [&](uint32_t x, uint32_t y) { return index_at(x, y, colors); });
  return maker;
}

void check_indexed(const BmpMaker& maker, uint32_t colors) {
  const Image image = decode_image(maker.file(), "x.bmp");
  REQUIRE(image.width == 5);
  REQUIRE(image.height == 3);
  for (uint32_t y = 0; y < 3; ++y)
    for (uint32_t x = 0; x < 5; ++x) {
      const uint32_t i = index_at(x, maker.height < 0 ? y : 2 - y, colors);
      const uint8_t* pixel = image.row(y) + 3 * x;
      REQUIRE(pixel[0] == i + 1);
      REQUIRE(pixel[1] == 2 * i);
      REQUIRE(pixel[2] == 255 - i);
    }
}

BmpMaker masked(uint16_t bits, std::vector<uint32_t> masks) {
  BmpMaker maker{.bits = bits, .compression = 3};
  maker.masks = std::move(masks);
  maker.pixels =
      rows_of(bits, [](uint32_t x, uint32_t y) { return 0x9E3779B9u * (5 * y + x + 1); });
  return maker;
}

TEST_CASE("decode bmp: every header and depth looks its palette up") {
  for (const uint32_t header : {12u, 16u, 40u, 52u, 56u, 64u, 108u, 124u})
    for (const uint16_t bits : {1, 4, 8}) {
      INFO("header ", header, " bits ", bits);
      const uint32_t colors = 1u << bits;
      BmpMaker maker = indexed(header, bits, colors);
      check_indexed(maker, colors);
      maker.offset_shift = 0;
      // Fewer colours: counted where the header counts, else those that fit before the pixels.
      for (const uint32_t fewer : {1u, 2u, 11u, 200u}) {
        if (fewer > colors) continue;
        BmpMaker shorter = indexed(header, bits, fewer);
        check_indexed(shorter, fewer);
        if (header >= 40) shorter.colors = fewer;
        check_indexed(shorter, fewer);
      }
      if (header == 12) continue;
      maker.height = -3;
      check_indexed(maker, colors);
    }
  // More colours than indices: the rest is skipped.
  BmpMaker longer = indexed(40, 8, 256);
  append(longer.palette, palette_of(44, false));
  longer.colors = 300;
  check_indexed(longer, 256);
}

TEST_CASE("decode bmp: the OS/2 file and the bad index of the shared collection") {
  const std::string folder = shared_path("data/faults");
  if (folder.empty()) return;
  const Image image = decode_image(read_file(folder + "/os2_32.bmp"), "os2_32.bmp");
  REQUIRE(image.width == 32);
  for (int x = 0; x < 4; ++x)
    for (int c = 0; c < 3; ++c) CHECK(image.row(0)[3 * x + c] == 252 + x);
  CHECK(contains(outcome_of(read_file(folder + "/badidx.bmp")), "of a palette of 2"));
}

TEST_CASE("decode bmp: an index beyond the palette is refused") {
  for (const uint32_t header : {12u, 40u, 64u, 124u})
    for (const uint16_t bits : {1, 4, 8}) {
      INFO("header ", header, " bits ", bits);
      const uint32_t colors = (1u << bits) - 1;
      BmpMaker maker = indexed(header, bits, colors);
      check_indexed(maker, colors);
      maker.pixels =
          rows_of(bits, [&](uint32_t x, uint32_t y) { return x == 4 && y == 2 ? colors : 0; });
      CHECK(contains(outcome_of(maker.file()), concat("colour ", colors, " of a palette")));
    }
  BmpMaker none = indexed(40, 8, 1);
  none.palette.clear();
  CHECK(contains(outcome_of(none.file()), "of a palette of 0"));
}

TEST_CASE("decode bmp: palettes and pixels that overlap or leave the file are refused") {
  BmpMaker maker = indexed(40, 8, 256);
  for (const uint32_t count : {257u, 300u, 0x40000000u, 0xFFFFFFFFu}) {
    maker.colors = count;
    CHECK(contains(outcome_of(maker.file()), "within the header or the palette"));
  }
  maker.colors = 0;
  for (const int32_t shift : {4, 12, 1 << 20, 0x7FFFFF00}) {
    maker.offset_shift = shift;
    CHECK(contains(outcome_of(maker.file()), "cut short"));
  }
  for (const int32_t shift : {-14 - 40 - 1024, -1025, -1024 - 40}) {
    maker.offset_shift = shift;
    CHECK(contains(outcome_of(maker.file()), "within the header"));
  }
  for (const uint32_t header : {12u, 40u, 124u}) {
    const Bytes whole = indexed(header, 4, 16).file();
    // The last row's padding carries nothing.
    CHECK(outcome_of(std::span(whole).first(whole.size() - 1)) == outcome_of(whole));
    for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
      INFO("header ", header, " cut at ", size);
      CHECK_THROWS_AS(decode_image(std::span(whole).first(size), "cut.bmp"), Error);
    }
  }
}

TEST_CASE("decode bmp: 16, 24 and 32 bits without masks") {
  for (const uint32_t header : {12u, 40u, 64u, 108u})
    for (const uint16_t bits : {16, 24, 32}) {
      INFO("header ", header, " bits ", bits);
      const auto value = [](uint32_t x, uint32_t y) { return 0x01234567u * (5 * y + x + 1); };
      BmpMaker maker{.header = header, .bits = bits};
      maker.pixels = rows_of(bits, value);
      if (header == 40) {  // a palette for screens of few colours is skipped
        maker.palette = palette_of(10, false);
        maker.colors = 10;
      }
      const Image image = decode_image(maker.file(), "x.bmp");
      for (uint32_t y = 0; y < 3; ++y)
        for (uint32_t x = 0; x < 5; ++x)
          for (int c = 0; c < 3; ++c) {
            const uint32_t v = value(x, 2 - y);
            const uint32_t expected =
                bits == 16 ? (v >> (10 - 5 * c) & 31) * 255 / 31 : v >> (16 - 8 * c) & 255;
            REQUIRE(image.row(y)[3 * x + c] == expected);
          }
    }
}

TEST_CASE("decode bmp: colour masks of any width, in any order, and those that make no sense") {
  struct Masks {
    uint16_t bits;
    std::vector<uint32_t> masks;
  };
  for (const Masks& good :
       {Masks{16, {0xF800, 0x07E0, 0x001F}}, Masks{16, {0x000F, 0x00F0, 0x0F00}},
        Masks{16, {0x8000, 0x7FFE, 0x0001}}, Masks{32, {0xFF, 0xFF00, 0xFF0000}},
        Masks{32, {0x3FF00000, 0x000FFC00, 0x000003FF}},
        Masks{32, {0xFE000000, 0x01FFFF80, 0x0000007F}}})
    for (const uint32_t header : {40u, 52u, 56u, 108u, 124u}) {
      BmpMaker maker = masked(good.bits, good.masks);
      maker.header = header;
      const Image image = decode_image(maker.file(), "x.bmp");
      for (int x = 0; x < 5; ++x)
        for (int c = 0; c < 3; ++c) {
          const uint32_t pixel = 0x9E3779B9u * (10 + x + 1), mask = good.masks[c];
          const uint64_t value = pixel & mask;
          const uint64_t most = mask >> __builtin_ctz(mask);
          const uint64_t sample = value >> __builtin_ctz(mask);
          const uint64_t expected = most <= 255 ? sample * 255 / most : sample * 256 / (most + 1);
          REQUIRE(image.row(0)[3 * x + c] == expected);
        }
    }
  for (const Masks& bad : {Masks{16, {0, 0x07E0, 0x001F}}, Masks{16, {0, 0, 0}},
                           Masks{16, {0xF800, 0x0FE0, 0x001F}}, Masks{32, {0xFF, 0xFF, 0xFF}},
                           Masks{32, {0xF0F, 0xF000, 0xF0000}}, Masks{16, {0xF0000, 0x7E0, 0x1F}}})
    CHECK(contains(outcome_of(masked(bad.bits, bad.masks).file()), "colour masks"));
  BmpMaker eight = indexed(40, 8, 256);
  eight.compression = 3;
  CHECK(contains(outcome_of(eight.file()), "with colour masks"));
}

TEST_CASE("decode bmp: headers that are not known, run lengths, odd depths and planes") {
  for (const uint32_t header : {13u, 41u, 60u, 128u})
    CHECK(contains(outcome_of(BmpMaker{.header = header, .pixels = Bytes(48)}.file()),
                   concat("header of ", header, " bytes")));
  for (const uint32_t compression : {1u, 2u, 4u, 5u, 9u}) {
    BmpMaker maker = indexed(40, 8, 256);
    maker.compression = compression;
    CHECK(contains(outcome_of(maker.file()), "save it uncompressed"));
  }
  for (const uint16_t bits : {0, 2, 7, 15, 48, 64})
    CHECK(contains(outcome_of(BmpMaker{.bits = bits, .pixels = Bytes(200)}.file()),
                   concat(bits, " bits a pixel")));
  CHECK(contains(outcome_of(BmpMaker{.planes = 3, .pixels = Bytes(48)}.file()), "3 planes"));
  for (const int32_t width : {0, -5})
    CHECK(contains(outcome_of(BmpMaker{.width = width, .pixels = Bytes(48)}.file()),
                   "no valid image size"));
}

}  // namespace
