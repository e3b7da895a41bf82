// What a decode may cost: pixels, memory, scans; and that it depends on nothing but its bytes.
#include <malloc.h>

#include <filesystem>
#include <limits>

#include "core/error.h"
#include "core/io/files.h"
#include "data/check.h"
#include "data/decode.h"
#include "data/decode_header.h"
#include "data/loader.h"
#include "tests/data/dataset_support.h"
#include "tests/data/encoded_images.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;

namespace {

GifMaker small_gif() {
  GifMaker maker;
  maker.global = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2};
  maker.indices = Bytes(12, 1);
  return maker;
}

std::vector<Bytes> five_by_three() {
  GifMaker gif = small_gif();
  gif.canvas_width = 5;
  gif.transparent = 3;
  BmpMaker bmp;
  bmp.pixels = Bytes(48, 100);
  return {PngMaker{}.file(), bmp.file(), gif.file(), baseline_jpeg(5, 3),
          progressive_jpeg(5, 3, 1)};
}

// Files whose forms are odd or wrong; what each gives is said by the tests of its format.
std::vector<Bytes> odd_files() {
  std::vector<Bytes> files = five_by_three();
  BmpMaker os2{.header = 12, .bits = 8};
  os2.palette = Bytes(3 * 100, 50);
  os2.pixels = Bytes(24, 99);
  files.push_back(os2.file());
  os2.pixels[9] = 100;  // beyond the palette
  files.push_back(os2.file());
  PngMaker indexed{.depth = 8, .color = 3};
  indexed.palette = Bytes(9, 1);
  files.push_back(indexed.file());
  indexed.sample = [](uint32_t x, uint32_t, int) { return x % 3; };
  files.push_back(indexed.file());
  PngMaker interlaced{.width = 9, .height = 2, .depth = 2, .color = 0, .interlaced = true};
  files.push_back(interlaced.file());
  GifMaker gif = small_gif();
  gif.indices.resize(7);
  files.push_back(gif.file());
  gif.indices = Bytes(12, 2);
  gif.width = gif.height = 2;  // leaves the canvas bare
  files.push_back(gif.file());
  // Cut in the middle of the picture.
  for (Bytes bytes : five_by_three()) {
    bytes.resize(bytes.size() - 9);
    files.push_back(bytes);
  }
  return files;
}

TEST_CASE("decode limits: pixels are counted before anything is decoded") {
  for (const Bytes& bytes : five_by_three()) {
    CHECK_NOTHROW(decode_image(bytes, "x", false, {.max_pixels = 15}));
    try {
      decode_image(bytes, "x", false, {.max_pixels = 14});
      FAIL("decoded");
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      const std::string text = error.what();
      CHECK(contains(text, "x: 5 x 3 pixels exceed the limit of 14"));
      CHECK(contains(text, "data.max_pixels"));
    }
    CHECK(image_size(bytes, "x").width == 5);
  }
  // The default is 89,478,485: just over it, in each format.
  PngMaker png{.width = 9460, .height = 9460, .depth = 1, .color = 0};
  BmpMaker bmp{.width = 89'478'486, .height = -1, .bits = 1};
  GifMaker gif = small_gif();
  gif.canvas_width = 65535;
  gif.canvas_height = 1366;
  const Bytes jpeg = claiming(baseline_jpeg(16, 16), 9472, 9472);
  for (const Bytes& bytes : {png.file(Bytes(100)), bmp.file(), gif.file(), jpeg})
    CHECK(contains(outcome_of(bytes), "exceed the limit of 89478485"));
}

TEST_CASE("decode limits: loaders, lists and streams hand the limit on") {
  const TemporaryFolder folder;
  write_small_set(folder.path(), {"a", "b"}, 2);
  const ImageFolder set = ImageFolder::open(folder.path());
  CHECK(check_data(set).broken == 0);
  const DataReport report = check_data(set, {.max_pixels = 1});
  CHECK(report.broken == 4);
  CHECK(contains(report.lines.at(0), "exceed the limit of 1"));
  LoaderOptions options;
  options.batch = 2;
  options.training = false;
  options.workers = 0;
  options.preprocess = {.resize = 0, .crop = 8};
  options.limits.max_pixels = 1;
  Loader loader(set, options);
  loader.start(0);
  CHECK_THROWS_WITH_AS(loader.next(), doctest::Contains("exceed the limit of 1"), Error);
}

TEST_CASE("decode limits: scans of a JPEG, few of any size or many of few pixels") {
  const std::string once = outcome_of(progressive_jpeg(64, 64, 1));
  CHECK(once.starts_with("64x64 "));
  for (const int copies : {2, 40, 3000})
    CHECK(outcome_of(progressive_jpeg(64, 64, copies)) == once);
  CHECK(outcome_of(progressive_jpeg(1500, 1500, 20)).starts_with("1500x1500 "));
  const std::string refused = outcome_of(progressive_jpeg(1500, 1500, 120));
  CHECK(contains(refused, "scans of 1500 x 1500 pixels exceed the limit"));
  CHECK(contains(outcome_of(progressive_jpeg(64, 4000, 1100)), "exceed the limit"));
  const std::string file = shared_path("data/faults/scan4000.jpg");
  if (!file.empty()) CHECK(contains(outcome_of(read_file(file)), "scans of 4000 x 4000"));
}

TEST_CASE("decode limits: what a picture takes in memory is known from its header") {
  const auto working = [](const Bytes& bytes) {
    return read_header(bytes, "x", std::numeric_limits<int64_t>::max()).working_bytes;
  };
  CHECK(working(baseline_jpeg(100, 50)) == 0);
  CHECK(working(progressive_jpeg(100, 50, 1)) == 2 * 100 * 50);
  CHECK(working(PngMaker{.width = 100}.file()) == 1600);
  // A file that claims many rows of a progressive picture: 7 bytes a pixel are too many.
  const Bytes jpeg = claiming(progressive_jpeg(16, 16, 1), 9216, 9216);
  Bytes longer(jpeg.begin(), jpeg.end() - 2);
  longer.resize(100'000'000 / 1024 * 2);  // as many bytes as the pixels need at least
  append(longer, Bytes{0xFF, 0xD9});
  // Gray: 3 + 2 bytes a pixel are allowed, and the data then end early; upright, 6 + 2 are not.
  CHECK(contains(outcome_of(longer), "cannot be decoded"));
  const Bytes exif{0xFF, 0xE1, 0,    34, 'E', 'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0,
                   1,    0,    0x12, 1,  3,   0,   1,   0,   0, 0, 6,   0,   0,  0, 0, 0, 0, 0};
  longer.insert(longer.begin() + 2, exif.begin(), exif.end());
  const std::string text = outcome_of(longer, true);
  CHECK(contains(text, "649 MiB, above the limit of 512 MiB"));
  CHECK(contains(text, "baseline"));
}

TEST_CASE("decode depends on its bytes alone, whatever was decoded before and lies in memory") {
  std::vector<Bytes> files = odd_files();
  const std::string shared = shared_path("data");
  if (!shared.empty())
    for (const std::string folder : {"/images-odd", "/faults"})
      for (const auto& entry : std::filesystem::directory_iterator(shared + folder)) {
        const std::string extension = entry.path().extension();
        for (const std::string known : {".png", ".bmp", ".gif", ".jpg"})
          if (extension == known) files.push_back(read_file(entry.path().string()));
      }
  std::vector<std::string> first;
  for (const Bytes& bytes : files) first.push_back(outcome_of(bytes));
  for (const int pattern : {0x55, 0xC3}) {
    mallopt(M_PERTURB, pattern);  // memory that is taken or given back is filled with this
    for (std::size_t i = 0; i < files.size(); ++i) {
      INFO("file ", i, " of ", files.size());
      // After two different others, of which one is valid and colourful.
      outcome_of(files[(i + static_cast<std::size_t>(pattern)) % files.size()]);
      outcome_of(files[i == 0 ? 1 : 0]);
      CHECK(outcome_of(files[i]) == first[i]);
    }
  }
  mallopt(M_PERTURB, 0);
}

}  // namespace
