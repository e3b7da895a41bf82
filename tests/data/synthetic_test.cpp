// The drawn set: deterministic, real files, and not told apart by colour.
#include "data/synthetic.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "data/dataset.h"
#include "data/decode.h"
#include "data/encode.h"
#include "data/synthetic_figures.h"
#include "tests/data/dataset_support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;
namespace fs = std::filesystem;

namespace {

TEST_CASE("synthetic: an image is a function of size, class, index and seed") {
  const std::vector<std::string> classes = synthetic_classes();
  CHECK(classes.size() >= 10);
  CHECK(std::is_sorted(classes.begin(), classes.end()));
  const auto draw = [](int64_t size, int64_t label, int64_t index, uint64_t seed) {
    return synthetic_image(size, label, index, seed).pixels;
  };
  for (int64_t size : {8, 17, 32}) {
    const auto pixels = draw(size, 3, 5, 1);
    CHECK(pixels.size() == static_cast<std::size_t>(size * size * 3));
    CHECK(pixels == draw(size, 3, 5, 1));
    CHECK(pixels != draw(size, 4, 5, 1));
    CHECK(pixels != draw(size, 3, 6, 1));
    CHECK(pixels != draw(size, 3, 5, 2));
  }
  const auto count = static_cast<int64_t>(classes.size());
  check_contains(error_of([&] { draw(7, 0, 0, 0); }), "size is 7");
  check_contains(error_of([&] { draw(32, count, 0, 0); }), "label is " + std::to_string(count));
  check_contains(error_of([&] { draw(32, -1, 0, 0); }), "label is -1");
  check_contains(error_of([&] { draw(32, 0, -1, 0); }), "index is -1");
}

TEST_CASE("synthetic: the nearest mean colour does not tell the classes") {
  const auto classes = static_cast<int64_t>(synthetic_classes().size());
  constexpr int64_t kTrain = 80, kVal = 40, kSize = 16;
  const auto mean_color = [](int64_t label, int64_t index) {
    const Image image = synthetic_image(kSize, label, index, 0);
    std::array<double, 3> mean{};
    for (int64_t i = 0; i < kSize * kSize * 3; ++i)
      mean[i % 3] += image.pixels[i] / double(kSize * kSize);
    return mean;
  };
  std::vector<std::array<double, 3>> centers(classes);
  for (int64_t c = 0; c < classes; ++c)
    for (int64_t i = 0; i < kTrain; ++i)
      for (int k = 0; k < 3; ++k) centers[c][k] += mean_color(c, i)[k] / kTrain;
  int right = 0;
  for (int64_t c = 0; c < classes; ++c)
    for (int64_t i = kTrain; i < kTrain + kVal; ++i) {
      const auto mine = mean_color(c, i);
      int64_t best = 0;
      double least = 1e30;
      for (int64_t other = 0; other < classes; ++other) {
        double distance = 0;
        for (int k = 0; k < 3; ++k)
          distance += (mine[k] - centers[other][k]) * (mine[k] - centers[other][k]);
        if (distance < least) least = distance, best = other;
      }
      right += best == c;
    }
  CHECK(right < 2.5 * kVal);  // chance: kVal of classes * kVal
}

TEST_CASE("synthetic: figures from equal draws cover different points") {
  constexpr int kSize = 40;
  const auto classes = static_cast<int64_t>(synthetic_classes().size());
  for (uint64_t draw = 0; draw < 3; ++draw) {
    std::vector<std::vector<bool>> masks;
    for (int64_t label = 0; label < classes; ++label) {
      Random random(0, draw);
      const Figure figure(label, random);
      std::vector<bool> mask;
      for (int i = 0; i < kSize * kSize; ++i)
        mask.push_back(figure.covers((i % kSize + 0.5) / kSize, (i / kSize + 0.5) / kSize));
      const auto covered = std::count(mask.begin(), mask.end(), true);
      CHECK_MESSAGE(covered > 0.04 * kSize * kSize, synthetic_classes()[label]);
      CHECK_MESSAGE(covered < 0.75 * kSize * kSize, synthetic_classes()[label]);
      masks.push_back(std::move(mask));
    }
    for (int64_t a = 0; a < classes; ++a)
      for (int64_t b = 0; b < a; ++b) {
        int different = 0;
        for (int i = 0; i < kSize * kSize; ++i) different += masks[a][i] != masks[b][i];
        CHECK_MESSAGE(different > 0.01 * kSize * kSize,
                      synthetic_classes()[a] << " and " << synthetic_classes()[b]);
      }
  }
}

TEST_CASE("synthetic: PNG files decode to what was drawn, JPEG files to nearly that") {
  for (int64_t size : {8, 33}) {
    const Image image = synthetic_image(size, 2, 0, 7);
    const Image png = decode_image(encode_png(image), "x.png");
    CHECK(png.width == size);
    CHECK(png.height == size);
    CHECK(png.pixels == image.pixels);
    const Image jpeg = decode_image(encode_jpeg(image, 95), "x.jpg");
    REQUIRE(jpeg.pixels.size() == image.pixels.size());
    double difference = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      difference += std::abs(jpeg.pixels[i] - image.pixels[i]);
    CHECK(difference / image.pixels.size() < 12);
  }
}

TEST_CASE("synthetic: written once, drawn anew when a run was cut off, never replaced") {
  const TemporaryFolder folder;
  const std::string set = folder / "set";
  SyntheticOptions options{8, 3, 2, 1, false};
  write_synthetic(set, options);
  const ImageFolder train = ImageFolder::open(set + "/train"),
                    val = ImageFolder::open(set + "/val");
  CHECK(train.classes() == synthetic_classes());
  CHECK(train.size() == 3 * static_cast<int64_t>(train.classes().size()));
  CHECK(val.size() == 2 * static_cast<int64_t>(train.classes().size()));
  CHECK(train.name(0) == train.classes()[0] + "/0000.png");
  CHECK(decode_image(train.read(4), "4").pixels == synthetic_image(8, 1, 1, 1).pixels);
  CHECK(val.read(0) != train.read(0));
  const std::string digest = train.digest();

  const std::string victim = train.full_name(0);
  write_text(victim, "touched");
  write_synthetic(set, options);  // the stamp matches: nothing is written
  CHECK(read_text(victim) == "touched");
  options.seed = 2;
  check_contains(error_of([&] { write_synthetic(set, options); }), "another synthetic set");
  CHECK(read_text(victim) == "touched");

  write_text(set + "/synthetic.txt", "shiftadd synthetic image set, incomplete\n");
  write_text(set + "/train/disc/9999.jpg", "left over");
  options.seed = 1;
  write_synthetic(set, options);
  CHECK(!fs::exists(set + "/train/disc/9999.jpg"));
  CHECK(read_text(victim) != "touched");
  options.jpeg = true;
  write_synthetic(folder / "jpeg", options);
  CHECK(ImageFolder::open(folder / "jpeg/train").name(0) == train.classes()[0] + "/0000.jpg");
  CHECK(ImageFolder::open(set + "/train").digest() == digest);
}

TEST_CASE("synthetic: a folder that holds something else is left alone") {
  const TemporaryFolder folder;
  write_text(folder / "train/cat/1.jpg", "mine");
  check_contains(error_of([&] {
                   write_synthetic(folder.path(), {8, 1, 1, 0, false});
                 }),
                 "neither empty nor a synthetic set");
  write_text(folder / "synthetic.txt", "my notes");
  check_contains(error_of([&] {
                   write_synthetic(folder.path(), {8, 1, 1, 0, false});
                 }),
                 "not the stamp of a synthetic set");
  CHECK(read_text(folder / "train/cat/1.jpg") == "mine");
  check_contains(error_of([&] {
                   write_synthetic(folder / "new", {8, 0, 1, 0, false});
                 }),
                 "train_per_class is 0");
  check_contains(error_of([&] {
                   write_synthetic(folder / "new", {4, 1, 1, 0, false});
                 }),
                 "size is 4");
  CHECK(!fs::exists(folder / "new"));
}

}  // namespace
