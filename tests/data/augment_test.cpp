// Crops, flips, jitter and erasing of training images.
#include "data/augment.h"

#include <algorithm>
#include <cmath>

#include "data/augment_geometry.h"
#include "data/erasing.h"
#include "data/preprocess.h"
#include "data/resize.h"
#include "tests/data/images.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using test::bytes_out;
using test::noise;

namespace {

AugmentOptions plain(AugmentOptions::Crop crop) {
  AugmentOptions options;
  options.crop = crop;
  options.horizontal_flip = 0;
  return options;
}

std::vector<float> run(const Image& image, const AugmentOptions& options, const Preprocess& p,
                       uint64_t stream = 0) {
  Random random(11, stream);
  std::vector<float> out(p.values(), -1);
  augment_image(image, options, p, random, out.data());
  return out;
}

std::vector<float> evaluate(const Image& image, const Preprocess& p) {
  std::vector<float> out(p.values());
  preprocess_image(image, p, out.data());
  return out;
}

}  // namespace

TEST_CASE("augmentation that draws nothing is evaluation's preprocessing") {
  const Image image = noise(53, 37);
  const Preprocess p = bytes_out(24, 20);
  CHECK(run(image, plain(AugmentOptions::Crop::kNone), p) == evaluate(image, p));
}

TEST_CASE("augmentation depends on its Random alone") {
  const Image image = noise(53, 37);
  const Preprocess p = bytes_out(24, 17);
  AugmentOptions options;
  options.color_jitter = 0.4;
  options.rand_augment = "rand-m9-mstd0.5-inc1";
  options.random_erasing = 0.5;
  int different = 0;
  for (uint64_t stream = 0; stream < 40; ++stream) {
    const auto first = run(image, options, p, stream);
    CHECK(first == run(image, options, p, stream));
    for (const float v : first) REQUIRE(std::isfinite(v));
    different += first != run(image, options, p, stream + 1);
  }
  CHECK(different == 40);
}

TEST_CASE("a whole-area random resized crop of a square is the resized square") {
  const Image image = noise(40, 40);
  AugmentOptions options = plain(AugmentOptions::Crop::kRandomResized);
  options.scale_min = options.scale_max = options.ratio_min = options.ratio_max = 1;
  const Preprocess p = bytes_out(0, 17);
  CHECK(run(image, options, p) == evaluate(image, bytes_out(17, 17)));
}

TEST_CASE("random resized crop keeps area and ratio, and falls back for impossible ratios") {
  // Red is x, green is y: the crop's extent can be read from the result.
  Image ramp;
  ramp.width = ramp.height = 200;
  for (int y = 0; y < 200; ++y)
    for (int x = 0; x < 200; ++x)
      for (const int v : {x, y, 0}) ramp.pixels.push_back(static_cast<uint8_t>(v));
  AugmentOptions options = plain(AugmentOptions::Crop::kRandomResized);
  Preprocess p = bytes_out(0, 50);
  p.interpolation = Interpolation::kBilinear;
  double mean_area = 0, smallest = 1;
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    const auto out = run(ramp, options, p, round);
    const double w = (out[49] - out[0]) * 50 / 49, h = (out[2500 + 49 * 50] - out[2500]) * 50 / 49;
    CHECK(w / h > 0.65);
    CHECK(w / h < 1.5);
    mean_area += w * h / 40000 / kRounds;
    smallest = std::min(smallest, w * h / 40000);
  }
  // Uniform on 0.08 .. 1 would be 0.54; large crops of extreme ratio do not fit and are drawn
  // again.
  CHECK(mean_area > 0.42);
  CHECK(mean_area < 0.60);
  CHECK(smallest > 0.06);
  // 1 x 300: no crop of ratio >= 3/4 and area >= 8 % fits; the fallback is 1 x 1 in the middle.
  Image line = noise(1, 300);
  for (int c = 0; c < 3; ++c) line.row(149)[c] = 77;
  const auto out = run(line, options, bytes_out(0, 5));
  for (const float v : out) CHECK(std::round(v) == 77);
}

TEST_CASE("padded crop moves the picture by at most the padding over black") {
  const Image image = noise(8, 8);
  AugmentOptions options = plain(AugmentOptions::Crop::kPadded);
  options.padding = 2;
  bool seen[5][5] = {};
  for (uint64_t stream = 0; stream < 200; ++stream) {
    const auto out = run(image, options, bytes_out(0, 8), stream);
    int matches = 0;
    for (int dy = -2; dy <= 2; ++dy)
      for (int dx = -2; dx <= 2; ++dx) {
        bool same = true;
        for (int y = 0; y < 8 && same; ++y)
          for (int x = 0; x < 8 && same; ++x) {
            const bool inside = y + dy >= 0 && y + dy < 8 && x + dx >= 0 && x + dx < 8;
            same = std::round(out[y * 8 + x]) == (inside ? image.row(y + dy)[3 * (x + dx)] : 0);
          }
        matches += same;
        seen[dy + 2][dx + 2] |= same;
      }
    CHECK(matches == 1);
  }
  for (const auto& row : seen)
    for (const bool one : row) CHECK(one);
  // Smaller than the crop even with its padding: centred.
  options.padding = 0;
  const auto small = run(noise(2, 2), options, bytes_out(0, 6));
  CHECK(small[0] == 0);
  CHECK(small[2 * 6 + 2] > 0);
}

TEST_CASE("images that are no squares, and gray ones, go through every change") {
  const Image image = noise(40, 30);
  AugmentOptions options;
  options.scale_min = options.scale_max = 1;
  options.ratio_min = options.ratio_max = 4.0 / 3;  // the whole image
  options.horizontal_flip = 0;
  Preprocess p = bytes_out(0, {12, 20});
  const Image resized = resize(image, 20, 12, p.interpolation);
  const auto whole = run(image, options, p);
  for (int i = 0; i < 240; ++i) REQUIRE(std::round(whole[i]) == resized.pixels[3 * i]);
  // A padded crop of an image of the crop's size, without padding, is the image.
  options.crop = AugmentOptions::Crop::kPadded;
  options.padding = 0;
  const Image exact = noise(20, 12);
  const auto same = run(exact, options, p);
  for (int i = 0; i < 240; ++i) REQUIRE(std::round(same[i]) == exact.pixels[3 * i]);
  // Gray is made of the colours as they were changed.
  const auto colours = [&] {
    options.color_jitter = 0.4;
    options.rand_augment = "rand-m9-mstd0.5-inc1";
    return run(image, options, p, 5);
  }();
  p.mean = {0}, p.std = {1 / 255.0F};
  const auto gray = run(image, options, p, 5);
  REQUIRE(gray.size() == 240);
  for (int i = 0; i < 240; ++i) {
    const double luma = 0.299 * colours[i] + 0.587 * colours[240 + i] + 0.114 * colours[480 + i];
    REQUIRE(std::abs(gray[i] - luma) < 0.51);
  }
  options.random_erasing = 1;
  CHECK(run(image, options, p, 5) != gray);
}

TEST_CASE("flip mirrors rows, about as often as asked") {
  const Image image = noise(5, 5);
  AugmentOptions options = plain(AugmentOptions::Crop::kNone);
  const Preprocess p = bytes_out(0, 5);
  const auto upright = run(image, options, p);
  options.horizontal_flip = 1;
  const auto flipped = run(image, options, p);
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 5; ++y)
      for (int x = 0; x < 5; ++x)
        REQUIRE(flipped[(c * 5 + y) * 5 + x] == upright[(c * 5 + y) * 5 + 4 - x]);
  options.horizontal_flip = 0.5;
  int count = 0;
  for (uint64_t stream = 0; stream < 1000; ++stream)
    count += run(image, options, p, stream) == flipped;
  CHECK(count > 430);
  CHECK(count < 570);
}

TEST_CASE("colour jitter stays within its strength") {
  Image gray;
  gray.width = gray.height = 4;
  gray.pixels.assign(48, 100);
  AugmentOptions options = plain(AugmentOptions::Crop::kNone);
  options.color_jitter = 0.3;
  float low = 255, high = 0;
  for (uint64_t stream = 0; stream < 300; ++stream)
    for (const float v : run(gray, options, bytes_out(0, 4), stream)) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
  // A flat gray picture only feels brightness: 70 .. 130, less a level of truncation in each step.
  CHECK(low > 66.9f);
  CHECK(low < 74);
  CHECK(high > 126);
  CHECK(high < 130.1f);
}

TEST_CASE("random erasing fills one rectangle with normal noise") {
  constexpr int64_t kSize = 64;
  int erased = 0;
  double sum = 0, squares = 0, values = 0;
  for (uint64_t stream = 0; stream < 200; ++stream) {
    Random random(7, stream);
    std::vector<float> pixels(3 * kSize * kSize, 50);
    random_erasing(pixels.data(), 3, kSize, kSize, 0.5, random);
    int64_t top = kSize, bottom = -1, left = kSize, right = -1, count = 0;
    for (int64_t i = 0; i < kSize * kSize; ++i) {
      const bool touched = pixels[i] != 50;
      REQUIRE(touched == (pixels[2 * kSize * kSize + i] != 50));
      if (!touched) continue;
      ++count;
      top = std::min(top, i / kSize);
      bottom = std::max(bottom, i / kSize);
      left = std::min(left, i % kSize);
      right = std::max(right, i % kSize);
      sum += pixels[i];
      squares += pixels[i] * pixels[i];
    }
    if (count == 0) continue;
    ++erased;
    values += static_cast<double>(count);
    const int64_t h = bottom - top + 1, w = right - left + 1;
    CHECK(count == h * w);
    CHECK(count >= 0.015 * kSize * kSize);
    CHECK(count <= 0.36 * kSize * kSize);
    CHECK(static_cast<double>(h) / static_cast<double>(w) < 4.0);
    CHECK(static_cast<double>(w) / static_cast<double>(h) < 4.0);
  }
  CHECK(erased > 70);
  CHECK(erased < 130);
  CHECK(std::abs(sum / values) < 0.03);
  CHECK(std::abs(squares / values - 1) < 0.05);
  // A picture too small for any rectangle stays as it is.
  Random random(1, 1);
  float one[3] = {5, 5, 5};
  random_erasing(one, 3, 1, 1, 1, random);
  CHECK(one[0] == 5);
}

TEST_CASE("augmentation options out of range are named") {
  const auto message = [](auto change) -> std::string {
    AugmentOptions options;
    change(options);
    try {
      validate(options, "data.augment");
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      return error.what();
    }
    return "";
  };
  CHECK(message([](AugmentOptions&) {}).empty());
  CHECK(message([](AugmentOptions& o) { o.scale_min = 0; }).find("data.augment.scale") == 0);
  CHECK(message([](AugmentOptions& o) { o.ratio_max = 0.5; }).find("data.augment.ratio") == 0);
  CHECK(message([](AugmentOptions& o) { o.padding = -1; }).find("data.augment.padding") == 0);
  CHECK(message([](AugmentOptions& o) {
          o.horizontal_flip = 1.5;
        }).find("data.augment.horizontal_flip") == 0);
  CHECK(message([](AugmentOptions& o) {
          o.color_jitter = NAN;
        }).find("data.augment.color_jitter") == 0);
  CHECK(message([](AugmentOptions& o) {
          o.random_erasing = -0.1;
        }).find("data.augment.random_erasing") == 0);
  CHECK(message([](AugmentOptions& o) {
          o.rand_augment = "auto";
        }).find("data.augment.rand_augment") == 0);
}

TEST_CASE("an empty image is an error, a 1x1 image is not") {
  AugmentOptions options;
  options.rand_augment = "rand-m10-n15-p1";
  CHECK_THROWS_AS(run(Image{}, options, bytes_out(0, 4)), Error);
  CHECK(run(noise(1, 1), options, bytes_out(0, 4)).size() == 48);
  CHECK(run(noise(1, 1), options, bytes_out(0, 1)).size() == 3);
}
