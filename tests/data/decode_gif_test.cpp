// GIF: frames that leave the canvas bare, interlacing, and everything that may be out of range.
#include "core/error.h"
#include "core/io/files.h"
#include "data/decode.h"
#include "tests/data/encoded_images.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;

namespace {

Bytes colors_of(uint32_t colors, uint8_t start) {
  Bytes palette;
  for (uint32_t i = 0; i < colors; ++i)
    append(palette, Bytes{static_cast<uint8_t>(start + i), static_cast<uint8_t>(2 * i),
                          static_cast<uint8_t>(250 - i)});
  return palette;
}

Bytes indices_of(uint32_t count, uint32_t colors) {
  Bytes indices;
  for (uint32_t i = 0; i < count; ++i) indices.push_back(static_cast<uint8_t>(i * 5 % colors));
  return indices;
}

GifMaker plain() {
  GifMaker maker;
  maker.global = colors_of(4, 10);
  maker.indices = indices_of(12, 4);
  return maker;
}

// Red of a pixel, less where the palette's reds begin: its index.
int index_at(const Image& image, int64_t x, int64_t y, int start) {
  return image.row(y)[3 * x] - start;
}

TEST_CASE("decode gif: palettes of every size, global or local") {
  for (int bits = 1; bits <= 8; ++bits)
    for (const bool local : {false, true}) {
      INFO("bits ", bits, " local ", local);
      const uint32_t colors = 1u << bits;
      GifMaker maker{.canvas_width = 13, .canvas_height = 7, .width = 13, .height = 7};
      maker.code_size = static_cast<uint8_t>(std::max(2, bits));
      maker.global = colors_of(local ? 2 : colors, 0);
      if (local) maker.local = colors_of(colors, 0);
      maker.indices = indices_of(13 * 7, colors);
      for (const int transparent : {-1, 1}) {  // transparency changes no colour
        maker.transparent = transparent;
        const Image image = decode_image(maker.file(), "x.gif");
        for (int i = 0; i < 13 * 7; ++i)
          REQUIRE(index_at(image, i % 13, i / 13, 0) == maker.indices[i]);
      }
    }
}

TEST_CASE("decode gif: interlaced rows, also of frames with fewer than eight") {
  for (uint32_t height = 1; height <= 20; ++height) {
    GifMaker maker{.canvas_width = 3,
                   .canvas_height = height,
                   .width = 3,
                   .height = height,
                   .interlaced = true};
    maker.code_size = 5;
    maker.global = colors_of(32, 0);
    for (const auto& [first, step] : {std::pair{0u, 8u}, {4u, 8u}, {2u, 4u}, {1u, 2u}})
      for (uint32_t y = first; y < height; y += step)
        maker.indices.insert(maker.indices.end(), 3, static_cast<uint8_t>(y));
    const Image image = decode_image(maker.file(), "x.gif");
    for (uint32_t y = 0; y < height; ++y) REQUIRE(index_at(image, 2, y, 0) == static_cast<int>(y));
  }
}

TEST_CASE("decode gif: what a smaller frame leaves bare has a fixed colour") {
  GifMaker maker = plain();
  maker.width = 2;
  maker.height = 1;
  maker.left = 1;
  maker.top = 2;
  maker.indices = {3, 2};
  for (const int transparent : {-1, 0, 2}) {
    maker.transparent = transparent;
    const Image image = decode_image(maker.file(), "x.gif");
    CHECK(index_at(image, 1, 2, 10) == 3);
    CHECK(index_at(image, 2, 2, 10) == 2);
    for (const auto& [x, y] : {std::pair{0, 0}, {3, 2}, {0, 2}, {1, 1}})
      CHECK(index_at(image, x, y, 10) == std::max(0, transparent));
  }
  maker.transparent = 4;
  CHECK(contains(outcome_of(maker.file()), "colour 4 of a palette of 4"));
}

TEST_CASE("decode gif: indices, codes, palettes and frames out of range are refused") {
  for (const uint8_t index : {4, 5, 7}) {  // code size 3: 8 literals, 4 colours
    GifMaker maker = plain();
    maker.code_size = 3;
    maker.indices[11] = index;
    CHECK(contains(outcome_of(maker.file()), concat("colour ", int{index}, " of a palette of 4")));
  }
  GifMaker none = plain();
  none.global.clear();
  CHECK(contains(outcome_of(none.file()), "no colour table"));
  for (const uint8_t size : {0, 1, 9, 12, 255}) {
    Bytes bytes = plain().file();
    bytes[13 + 12 + 10] = size;
    CHECK(contains(outcome_of(bytes), concat("codes of ", int{size}, " bits")));
  }
  // Codes that the table has not got: the first one, one too far, and a second clear code's first.
  for (const std::vector<uint8_t>& data :
       {std::vector<uint8_t>{0b00'110'100, 0}, {0b11'000'100, 0b1}, {0b00'000'100, 0b111'1}}) {
    Bytes bytes = plain().file();
    bytes.resize(13 + 12 + 11);
    bytes.push_back(static_cast<uint8_t>(data.size()));
    append(bytes, data);
    append(bytes, Bytes{0, 0x3B});
    CHECK(contains(outcome_of(bytes), "of a table of"));
  }
  struct Frame {
    uint32_t left, top, width, height;
  };
  for (const Frame& f : {Frame{1, 0, 4, 3}, Frame{0, 1, 4, 3}, Frame{65535, 0, 1, 1},
                         Frame{0, 0, 0, 3}, Frame{0, 0, 4, 0}, Frame{0, 0, 65535, 65535}}) {
    GifMaker maker = plain();
    maker.left = f.left;
    maker.top = f.top;
    maker.width = f.width;
    maker.height = f.height;
    CHECK(contains(outcome_of(maker.file()), "empty or reaches beyond"));
  }
}

TEST_CASE("decode gif: data that end early are refused, those behind the last pixel ignored") {
  GifMaker maker = plain();
  const std::string whole = outcome_of(maker.file());
  maker.indices.push_back(1);
  CHECK(outcome_of(maker.file()) == whole);
  for (const std::size_t count : {0, 1, 9})
    for (const bool end : {false, true}) {
      maker.indices = indices_of(12, 4);
      maker.indices.resize(count);
      maker.end = end;
      CHECK(contains(outcome_of(maker.file()), "cut short"));
    }
  const Bytes bytes = plain().file();
  for (std::size_t size = 0; size + 1 < bytes.size(); ++size) {
    INFO("cut at ", size);
    CHECK_THROWS_AS(decode_image(std::span(bytes).first(size), "cut.gif"), Error);
  }
  Bytes empty(bytes.begin(), bytes.begin() + 13 + 12);
  empty.push_back(0x3B);
  empty.push_back(0);
  CHECK(contains(outcome_of(empty), "without an image"));
}

}  // namespace
