// Images come in order, broken ones apart, whatever the number of workers and the size of batches.
#include "data/image_stream.h"

#include <atomic>
#include <filesystem>

#include "core/io/files.h"
#include "data/decode.h"
#include "data/preprocess.h"
#include "tests/data/bitmap.h"
#include "tests/data/dataset_support.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;

namespace {

Preprocess small_preprocess() {
  Preprocess p;
  p.resize = 10, p.crop = 8;
  return p;
}

ImageSource bitmaps(int64_t count, int64_t broken_every) {
  ImageSource source;
  source.count = count;
  source.name = [](int64_t item) { return "item" + std::to_string(item); };
  source.read = [broken_every](int64_t item, const DecodeLimits&) {
    const std::string text =
        broken_every && item % broken_every == 1
            ? std::string("not an image")
            : test::bitmap(12, 9 + static_cast<int>(item % 4), static_cast<int>(item));
    return std::vector<uint8_t>(text.begin(), text.end());
  };
  return source;
}

}  // namespace

TEST_CASE("every image arrives once, in order, with the pixels of a direct decode") {
  const Preprocess p = small_preprocess();
  for (const int workers : {1, 3}) {
    for (const int64_t batch : {1, 3, 7, 100}) {
      const ImageSource source = bitmaps(17, 5);
      ImageStream stream(source, p, batch, workers);
      std::vector<uint8_t> expected(3 * 8 * 8);
      int64_t item = 0, broken = 0;
      while (const auto got = stream.next()) {
        const int64_t size = std::min<int64_t>(batch, 17 - item);
        REQUIRE(static_cast<int64_t>(got->items.size() + got->broken.size()) == size);
        CHECK(got->images.dim(0) == static_cast<int64_t>(got->items.size()));
        for (const auto& each : got->broken) {
          CHECK(each.item % 5 == 1);
          CHECK(each.reason.find("item" + std::to_string(each.item)) != std::string::npos);
          ++broken;
        }
        for (std::size_t row = 0; row < got->items.size(); ++row) {
          CHECK(got->items[row] % 5 != 1);
          CHECK(got->items[row] >= item);
          if (row) CHECK(got->items[row] > got->items[row - 1]);
          const auto bytes = source.read(got->items[row], {});
          crop_pixels(data::decode_image(bytes, "direct"), p, expected.data());
          const uint8_t* pixels = got->images.data<uint8_t>() + row * expected.size();
          CHECK(std::equal(expected.begin(), expected.end(), pixels));
        }
        item += size;
      }
      CHECK(item == 17);
      CHECK(broken == 4);
      CHECK_FALSE(stream.next().has_value());
    }
  }
}

TEST_CASE("a stream may be left early and may be empty") {
  const Preprocess p = small_preprocess();
  {
    ImageStream stream(bitmaps(100, 0), p, 4, 2);
    CHECK(stream.next().has_value());
  }
  ImageStream nothing(bitmaps(0, 0), p, 4, 2);
  CHECK_FALSE(nothing.next().has_value());
}

TEST_CASE("workers stay at most three batches ahead of the engine") {
  std::atomic<int64_t> largest{0};
  ImageSource source = bitmaps(60, 0);
  const auto read = source.read;
  source.read = [&](int64_t item, const DecodeLimits& limits) {
    int64_t seen = largest;
    while (item > seen && !largest.compare_exchange_weak(seen, item)) {
    }
    return read(item, limits);
  };
  ImageStream stream(source, small_preprocess(), 5, 3);
  for (int64_t batch = 0; stream.next(); ++batch) CHECK(largest < (batch + 3) * 5);
}

TEST_CASE("a failure of the machine reaches the caller") {
  ImageSource source = bitmaps(10, 0);
  source.read = [](int64_t, const DecodeLimits&) -> std::vector<uint8_t> {
    throw failure("input/output error");
  };
  ImageStream stream(source, small_preprocess(), 4, 2);
  CHECK_THROWS_WITH_AS(stream.next(), "input/output error", Error);
}

TEST_CASE("a missing file is a broken image, not the end") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "good.bmp", test::bitmap(9, 9, 1));
  ImageStream stream(source_of_files({folder / "none.jpg", folder / "good.bmp"}),
                     small_preprocess(), 2, 1);
  const auto batch = stream.next();
  REQUIRE(batch.has_value());
  CHECK(batch->items == std::vector<int64_t>{1});
  REQUIRE(batch->broken.size() == 1);
  CHECK(batch->broken[0].reason.find("none.jpg") != std::string::npos);
}

TEST_CASE("a tar that shrinks meanwhile ends the stream, by its name") {
  const test::TemporaryFolder folder;
  std::string members;
  for (int i = 0; i < 40; ++i)
    members += test::tar_member(concat("a/", i, ".bmp"), test::bitmap(60, 60, i));
  const std::string path = folder / "set.tar";
  test::write_text(path, members + test::tar_end());
  const ImageFolder set = data::ImageFolder::open(path);
  ImageStream stream(source_of_set(set), small_preprocess(), 2, 1);
  CHECK(stream.next());
  std::filesystem::resize_file(path, 2048);
  const auto to_the_end = [&] {
    while (stream.next()) {
    }
  };
  CHECK_THROWS_WITH_AS(to_the_end(), doctest::Contains("set.tar: had "), Error);
}
