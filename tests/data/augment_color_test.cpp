// Colour operations, affine transforms and RandAugment, on values worked out by hand.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "core/error.h"
#include "data/color.h"
#include "data/rand_augment.h"
#include "tests/data/images.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using test::noise;

namespace {

// One row of gray pixels.
Image row_of(const std::vector<uint8_t>& values) {
  Image image;
  image.width = static_cast<int64_t>(values.size());
  image.height = 1;
  for (const uint8_t v : values) image.pixels.insert(image.pixels.end(), 3, v);
  return image;
}

std::vector<uint8_t> reds(const Image& image) {
  std::vector<uint8_t> values;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) values.push_back(image.pixels[i]);
  return values;
}

template <class Operation>
std::vector<uint8_t> after(const std::vector<uint8_t>& values, Operation operation) {
  Image image = row_of(values);
  operation(image);
  return reds(image);
}

using Bytes = std::vector<uint8_t>;
constexpr Colour kFill{9, 8, 7};

}  // namespace

TEST_CASE("lookups: invert, posterize, solarize") {
  CHECK(after({0, 100, 255}, invert) == Bytes{255, 155, 0});
  CHECK(after({0, 63, 64, 255}, [](Image& i) { posterize(i, 2); }) == Bytes{0, 0, 64, 192});
  CHECK(after({1, 129, 255}, [](Image& i) { posterize(i, 8); }) == Bytes{1, 129, 255});
  CHECK(after({1, 129, 255}, [](Image& i) { posterize(i, 0); }) == Bytes{0, 0, 0});
  CHECK(after({0, 127, 128, 255}, [](Image& i) { solarize(i, 128); }) == Bytes{0, 127, 127, 0});
  CHECK(after({0, 255}, [](Image& i) { solarize(i, 256); }) == Bytes{0, 255});
  CHECK(after({0, 100, 127, 128}, [](Image& i) { solarize_add(i, 110); }) ==
        Bytes{110, 210, 237, 128});
}

TEST_CASE("autocontrast stretches each channel to the full range") {
  // scale 255 / 100 = 2.55: 50 -> 0, 100 -> 127.5 truncated, 150 -> 255.
  CHECK(after({50, 100, 150}, autocontrast) == Bytes{0, 127, 255});
  CHECK(after({77, 77}, autocontrast) == Bytes{77, 77});
}

TEST_CASE("equalize levels the histogram") {
  // 512 pixels: 256 of 10, 128 of 20, 128 of 30. step = (512 - 128) / 255 = 1, start 0: 10 -> 0, 20
  // -> 256 clamped.
  std::vector<uint8_t> values(256, 10);
  values.insert(values.end(), 128, 20);
  values.insert(values.end(), 128, 30);
  Bytes result = after(values, equalize);
  CHECK(result.front() == 0);
  CHECK(result[256] == 255);
  CHECK(result.back() == 255);
  // Four times as many: step = (2048 - 512) / 255 = 6, start 3: 10 -> 0, 20 -> 1027 / 6 = 171, 30
  // -> 1539 / 6 = 256.
  values.assign(1024, 10);
  values.insert(values.end(), 512, 20);
  values.insert(values.end(), 512, 30);
  result = after(values, equalize);
  CHECK(result.front() == 0);
  CHECK(result[1024] == 171);
  CHECK(result.back() == 255);
  CHECK(after({7, 7, 7}, equalize) == Bytes{7, 7, 7});
}

TEST_CASE("enhancements blend with their degenerate picture") {
  CHECK(after({0, 100, 200}, [](Image& i) { adjust_brightness(i, 0.5); }) == Bytes{0, 50, 100});
  CHECK(after({0, 100, 200}, [](Image& i) { adjust_brightness(i, 1.5); }) == Bytes{0, 150, 255});
  // Mean gray 100: 0 -> 50, 200 -> 150.
  CHECK(after({0, 100, 200}, [](Image& i) { adjust_contrast(i, 0.5); }) == Bytes{50, 100, 150});
  CHECK(after({0, 100, 200}, [](Image& i) { adjust_contrast(i, 0); }) == Bytes{100, 100, 100});
  Image red = row_of({0});
  red.pixels = {255, 0, 0};  // luma 0.299 * 255 = 76.2
  Image gray = red;
  adjust_saturation(gray, 0);
  CHECK(gray.pixels == Bytes{76, 76, 76});
  adjust_saturation(red, 0.5);
  CHECK(red.pixels == Bytes{165, 38, 38});
  const Image source = noise(17, 9);
  for (const auto adjust :
       {adjust_brightness, adjust_contrast, adjust_saturation, adjust_sharpness}) {
    Image same = source;
    adjust(same, 1);
    CHECK(same.pixels == source.pixels);
  }
}

TEST_CASE("sharpness 0 smooths the inside by (1 1 1, 1 5 1, 1 1 1) / 13 and keeps the border") {
  Image image;
  image.width = image.height = 3;
  image.pixels.assign(27, 0);
  for (int c = 0; c < 3; ++c) image.row(1)[3 + c] = 130;
  Image smooth = image;
  adjust_sharpness(smooth, 0);
  CHECK(smooth.row(1)[3] == 50);
  CHECK(smooth.row(0)[3] == 0);
  adjust_sharpness(image, 2);  // 50 + 2 * (130 - 50) = 210
  CHECK(image.row(1)[4] == 210);
}

TEST_CASE("transform: identity, whole-pixel shifts with fill, quarter turns") {
  const Image source = noise(17, 17);
  for (const Interpolation filter : {Interpolation::kBilinear, Interpolation::kBicubic}) {
    CHECK(transform(source, {1, 0, 0, 0, 1, 0}, filter, kFill).pixels == source.pixels);
    const Image shifted = transform(source, {1, 0, 3, 0, 1, -2}, filter, kFill);
    for (int64_t y = 0; y < 17; ++y)
      for (int64_t x = 0; x < 17; ++x)
        for (int c = 0; c < 3; ++c) {
          const bool inside = x + 3 < 17 && y >= 2;
          REQUIRE(shifted.row(y)[3 * x + c] ==
                  (inside ? source.row(y - 2)[3 * (x + 3) + c] : kFill[c]));
        }
    // Counter-clockwise: the top right corner comes to the top left. Rounding of the angle may cost
    // a level inside; positions on the border's edge may fall outside.
    const Image turned = transform(source, rotation(90, 17, 17), filter, kFill);
    for (int64_t y = 1; y < 16; ++y)
      for (int64_t x = 1; x < 16; ++x)
        REQUIRE(std::abs(turned.row(y)[3 * x] - source.row(x)[3 * (16 - y)]) <= 1);
  }
  // Half a pixel between 10 and 21: bilinear 15.5, truncated.
  const Image pair = row_of({10, 21});
  CHECK(transform(pair, {1, 0, 0.5, 0, 1, 0}, Interpolation::kBilinear, kFill).pixels[0] == 15);
}

TEST_CASE("flip and crop") {
  Image image = row_of({1, 2, 3});
  flip_horizontally(image);
  CHECK(reds(image) == Bytes{3, 2, 1});
  CHECK(reds(crop(image, 1, 0, 2, 1)) == Bytes{2, 1});
}

TEST_CASE("RandAugment's grammar") {
  const RandAugment policy = parse_rand_augment("rand-m9-mstd0.5-inc1", "x");
  CHECK(policy.magnitude == 9);
  CHECK(policy.magnitude_std == 0.5);
  CHECK(policy.increasing);
  CHECK(policy.operations == 2);
  CHECK(policy.probability == 0.5);
  const RandAugment other = parse_rand_augment("rand-n3-p1.0-m7.5-mmax8", "x");
  CHECK(other.operations == 3);
  CHECK(other.probability == 1);
  CHECK(other.magnitude == 7.5);
  CHECK(other.magnitude_max == 8);
  CHECK(!other.increasing);
  CHECK(parse_rand_augment("rand", "x").magnitude == 10);
  for (const char* bad : {"", "random", "augmix-m3", "rand-", "rand-m", "rand-m11", "rand-m-1",
                          "rand-m9x", "rand-w0", "rand-n0", "rand-inc2", "rand-q5", "rand-m9--inc1",
                          "rand-mstdnan", "rand-p1.5", "rand-m1e400"}) {
    INFO(bad);
    CHECK_THROWS_AS(parse_rand_augment(bad, "data.augment.rand_augment"), Error);
  }
}

TEST_CASE("RandAugment: weakest magnitudes change nothing, stronger ones do") {
  const Image source = noise(23, 19);
  for (int operation = 0; operation < kRandOperations; ++operation) {
    const std::string name = rand_operation_name(operation);
    INFO(name);
    Random random(1, operation);
    Image weak = source, strong = source;
    apply_rand_operation(weak, operation, 0, true, kFill, random);
    apply_rand_operation(strong, operation, 10, true, kFill, random);
    // These have no weak end: they ignore the magnitude, or keep at most 4 bits.
    const std::set<std::string> always{"AutoContrast", "Equalize", "Invert", "Posterize"};
    if (!always.contains(name)) CHECK(weak.pixels == source.pixels);
    // Full-range noise is stretched and levelled already.
    if (name != "AutoContrast" && name != "Equalize") CHECK(strong.pixels != source.pixels);
    CHECK(strong.width == source.width);
    CHECK(strong.height == source.height);
  }
}

TEST_CASE(
    "RandAugment: translation reaches 45 % of the side at magnitude 10, with the fill behind") {
  const Image source = noise(20, 20);
  std::set<int> shifts;
  for (uint64_t stream = 0; stream < 20; ++stream) {
    Random random(2, stream);
    Image moved = source;
    apply_rand_operation(moved, 13, 10, true, kFill, random);
    int filled = 0;
    for (int x = 0; x < 20; ++x)
      filled += std::equal(kFill.begin(), kFill.end(), moved.row(5) + 3 * x);
    const bool left = std::equal(kFill.begin(), kFill.end(), moved.row(5));
    shifts.insert(left ? -filled : filled);
  }
  CHECK(shifts == std::set<int>{-9, 9});
}

TEST_CASE("RandAugment applies each operation with its probability") {
  const Image source = noise(8, 8);
  const auto unchanged = [&](const char* text) {
    int count = 0;
    for (uint64_t stream = 0; stream < 400; ++stream) {
      Random random(4, stream);
      Image image = source;
      rand_augment(image, parse_rand_augment(text, "x"), kFill, random);
      count += image.pixels == source.pixels;
    }
    return count;
  };
  CHECK(unchanged("rand-m9-p0") == 400);
  // Half the images draw nothing with n = 1; two of fifteen operations may leave these 64 pixels as
  // they are.
  const int half = unchanged("rand-m9-n1");
  CHECK(half > 180);
  CHECK(half < 280);
  CHECK(unchanged("rand-m9-n2-p1") < 40);
}
