// PNG: every form's pixels, every flipped bit, data that its own checksums do not cover.
#include <zlib.h>

#include "core/error.h"
#include "core/io/files.h"
#include "data/decode.h"
#include "tests/data/encoded_images.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;

namespace {

constexpr uint8_t kGray = 0, kRgb = 2, kPalette = 3, kGrayAlpha = 4, kRgba = 6;

Bytes text_bytes(const std::string& text) { return {text.begin(), text.end()}; }

Bytes some_palette(int colors) {
  Bytes palette;
  for (int i = 0; i < 3 * colors; ++i) palette.push_back(static_cast<uint8_t>(200 - 7 * i));
  return palette;
}

// One of each kind, with chunks that carry no pixels.
std::vector<PngMaker> some_pngs() {
  PngMaker rgb{.before = png_chunk("gAMA", Bytes{0, 0, 0xB1, 0x8F})};
  append(rgb.before, png_chunk("tEXt", text_bytes("Comment\1noise")));
  rgb.after = png_chunk("tIME", Bytes{7, 230, 1, 2, 3, 4, 5});
  PngMaker palette{.depth = 4, .color = kPalette, .palette = some_palette(16)};
  palette.before = png_chunk("tRNS", Bytes{0, 128, 255});
  PngMaker gray{.width = 9, .height = 9, .depth = 16, .color = kGray, .interlaced = true};
  gray.before = png_chunk("eXIf", Bytes{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 0});
  return {rgb, palette, gray};
}

// The middle of `whole` in chunks of `size` bytes.
Bytes in_chunks(const Bytes& data, std::size_t size) {
  Bytes bytes;
  for (std::size_t at = 0; at < data.size(); at += size)
    append(bytes, png_chunk("IDAT", std::span(data).subspan(at, std::min(size, data.size() - at))));
  return bytes;
}

// A file whose chunks between header and end are these.
Bytes with_chunks(const PngMaker& maker, const Bytes& chunks) {
  const Bytes file = maker.file();
  Bytes bytes(file.begin(), file.begin() + 33);
  append(bytes, chunks);
  append(bytes, png_chunk("IEND", {}));
  return bytes;
}

TEST_CASE("decode png: every color type, depth and interlacing has the right pixels") {
  struct Form {
    uint8_t color;
    std::vector<uint8_t> depths;
  };
  for (const Form& form :
       {Form{kGray, {1, 2, 4, 8, 16}}, Form{kRgb, {8, 16}}, Form{kPalette, {1, 2, 4, 8}},
        Form{kGrayAlpha, {8, 16}}, Form{kRgba, {8, 16}}})
    for (const uint8_t depth : form.depths)
      for (const bool interlaced : {false, true})
        for (const uint32_t size : {1u, 2u, 3u, 5u, 8u, 13u}) {
          INFO("color ", int{form.color}, " depth ", int{depth}, " interlaced ", interlaced, " ",
               size);
          PngMaker maker{.width = size,
                         .height = size + 1,
                         .depth = depth,
                         .color = form.color,
                         .interlaced = interlaced};
          if (form.color == kPalette) {
            maker.palette = some_palette(1 << depth);
            maker.before = png_chunk("tRNS", Bytes{0});  // transparency changes no colour
          } else if (form.color == kGray) {
            maker.before = png_chunk("tRNS", Bytes{0, 3});
          }
          const Image image = decode_image(maker.file(), "x.png");
          REQUIRE(image.width == size);
          REQUIRE(image.height == size + 1);
          for (uint32_t y = 0; y <= size; ++y)
            for (uint32_t x = 0; x < size; ++x)
              for (int c = 0; c < 3; ++c) {
                const bool gray = form.color == kGray || form.color == kGrayAlpha;
                const uint32_t value = maker.stored(x, y, gray || form.color == kPalette ? 0 : c);
                const uint32_t expected = form.color == kPalette ? maker.palette[3 * value + c]
                                          : depth == 16          ? value >> 8
                                                        : value * 255 / ((1u << depth) - 1);
                REQUIRE(image.row(y)[3 * x + c] == expected);
              }
        }
}

TEST_CASE("decode png: a flipped bit is refused, wherever it is") {
  for (const PngMaker& maker : some_pngs()) {
    Bytes bytes = maker.file();
    CHECK_NOTHROW(decode_image(bytes, "whole.png"));
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      INFO("bit ", bit, " of ", 8 * bytes.size());
      bytes[bit / 8] ^= 1 << bit % 8;
      CHECK_THROWS_AS(decode_image(bytes, "flipped.png"), Error);
      bytes[bit / 8] ^= 1 << bit % 8;
    }
  }
  // 225 bits spread over a larger one.
  Bytes bytes = PngMaker{.width = 97, .height = 89}.file();
  for (std::size_t i = 0; i < 225; ++i) {
    const std::size_t bit = i * (8 * bytes.size() - 1) / 224;
    bytes[bit / 8] ^= 1 << bit % 8;
    CHECK_THROWS_AS(decode_image(bytes, "flipped.png"), Error);
    bytes[bit / 8] ^= 1 << bit % 8;
  }
}

TEST_CASE("decode png: the damaged files of the shared collection") {
  const std::string folder = shared_path("data/faults");
  if (folder.empty()) return;
  CHECK(contains(outcome_of(read_file(folder + "/damaged.png")), "the checksum of chunk IDAT"));
  CHECK(contains(outcome_of(read_file(folder + "/fuzz_png_empty_idat.png")), "no IDAT"));
  CHECK(contains(outcome_of(read_file(folder + "/palidx.png")), "of a palette of 2"));
}

TEST_CASE("decode png: data that end early, go on, or are no data") {
  for (const PngMaker& maker : some_pngs()) {
    const Bytes rows = maker.rows(), data = zlib_bytes(rows);
    // Cut anywhere, checksums of the chunks right: only the stream itself can tell.
    for (std::size_t size = 0; size < data.size(); ++size) {
      INFO("cut at ", size, " of ", data.size());
      CHECK_THROWS_AS(decode_image(maker.file(std::span(data).first(size)), "cut.png"), Error);
    }
    Bytes wrong = data;
    wrong.back() ^= 1;  // its Adler-32
    CHECK(contains(outcome_of(maker.file(wrong)), "damaged"));
    const Bytes fewer(rows.begin(), rows.end() - 1);
    CHECK(contains(outcome_of(maker.file(zlib_bytes(fewer))), "less data than"));
    Bytes more = rows;
    more.push_back(0);
    CHECK(contains(outcome_of(maker.file(zlib_bytes(more))), "more data than"));
    CHECK(contains(outcome_of(maker.file({})), "no IDAT"));
  }
}

TEST_CASE("decode png: chunks in pieces, out of place, missing or unknown") {
  const PngMaker maker;
  const Bytes data = zlib_bytes(maker.rows());
  const std::string whole = outcome_of(maker.file());
  CHECK(whole.starts_with("5x3 "));
  for (const std::size_t size : {1, 2, 7})
    CHECK(outcome_of(with_chunks(maker, in_chunks(data, size))) == whole);
  Bytes chunks = png_chunk("IDAT", {});
  append(chunks, png_chunk("IDAT", data));
  CHECK(outcome_of(with_chunks(maker, chunks)) == whole);
  Bytes longer = maker.file();
  append(longer, text_bytes("behind the end"));
  CHECK(outcome_of(longer) == whole);

  Bytes parted = png_chunk("IDAT", std::span(data).first(9));
  append(parted, png_chunk("tEXt", text_bytes("a\1b")));
  append(parted, png_chunk("IDAT", std::span(data).subspan(9)));
  CHECK(contains(outcome_of(with_chunks(maker, parted)), "do not follow each other"));
  Bytes unknown = png_chunk("ABCD", {});
  append(unknown, png_chunk("IDAT", data));
  CHECK(contains(outcome_of(with_chunks(maker, unknown)), "a chunk that is not known"));
  const Bytes file = maker.file();
  Bytes twice(file.begin() + 8, file.begin() + 33);
  append(twice, png_chunk("IDAT", data));
  CHECK(contains(outcome_of(with_chunks(maker, twice)), "a second header"));
  Bytes late = png_chunk("IDAT", data);
  append(late, png_chunk("PLTE", some_palette(2)));
  CHECK(contains(outcome_of(with_chunks(maker, late)), "palette out of place"));
  CHECK(contains(outcome_of(with_chunks(maker, png_chunk("tEXt", text_bytes("a\1b")))), "no IDAT"));
  CHECK(contains(outcome_of(std::span(file).first(file.size() - 12)), "cut short"));
}

TEST_CASE("decode png: an index beyond the palette is refused") {
  for (const uint8_t depth : {1, 2, 4, 8})
    for (const bool interlaced : {false, true}) {
      INFO("depth ", int{depth});
      PngMaker maker{.depth = depth, .color = kPalette, .interlaced = interlaced};
      const uint32_t colors = (1u << depth) - 1;
      maker.palette = some_palette(static_cast<int>(colors));
      maker.sample = [&](uint32_t x, uint32_t y, int) { return (x + y) % colors; };
      CHECK(outcome_of(maker.file()).starts_with("5x3 "));
      maker.sample = [&](uint32_t x, uint32_t y, int) { return x == 4 && y == 1 ? colors : 0; };
      CHECK(contains(outcome_of(maker.file()), concat("colour ", colors, " of a palette")));
    }
  PngMaker none{.color = kPalette};
  CHECK(contains(outcome_of(none.file()), "x.img: "));  // no palette at all
  none.palette = {1, 2, 3, 4};                          // no whole number of colours
  CHECK(contains(outcome_of(none.file()), "x.img: "));
}

TEST_CASE("decode png: what expands without measure is refused or left alone") {
  PngMaker maker{.width = 32, .height = 32};
  const Bytes zeros(1 << 24), bomb = zlib_bytes(zeros);
  CHECK(contains(outcome_of(maker.file(bomb)), "more data than its picture needs"));
  const std::string plain = outcome_of(maker.file());
  for (const std::string start : {"zTXtnote", "iCCPname", "iTXtnote"}) {
    Bytes data = text_bytes(start.substr(4));
    append(data, Bytes{0, 0});
    append(data, bomb);
    maker.before = png_chunk(start.substr(0, 4), data);
    CHECK(outcome_of(maker.file()) == plain);
  }
}

TEST_CASE("decode png: turned upright by its eXIf chunk when asked") {
  for (const uint8_t orientation : {3, 6, 8}) {
    PngMaker maker;
    const Bytes exif{'I', 'I', 42, 0, 8, 0, 0, 0,           1, 0, 0x12,
                     1,   4,   0,  1, 0, 0, 0, orientation, 0, 0, 0};
    maker.before = png_chunk("eXIf", exif);
    const Image stored = decode_image(maker.file(), "x.png");
    const Image turned = decode_image(maker.file(), "x.png", true);
    const bool sideways = orientation != 3;
    REQUIRE(turned.width == (sideways ? 3 : 5));
    REQUIRE(stored.width == 5);
    // The pixel that comes to the top left.
    const uint8_t* from = orientation == 3   ? stored.row(2) + 3 * 4
                          : orientation == 6 ? stored.row(2)
                                             : stored.row(0) + 3 * 4;
    CHECK(std::equal(from, from + 3, turned.row(0)));
  }
}

}  // namespace
