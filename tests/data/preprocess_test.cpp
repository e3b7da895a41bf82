// preprocess_image: torchvision's sizes, rounding and padding; normalisation.
#include "data/preprocess.h"

#include <cmath>

#include "core/random.h"
#include "data/resize.h"
#include "tests/data/images.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;

namespace {

std::vector<float> run(const Image& image, const Preprocess& p) {
  std::vector<float> out(p.values(), -1);
  preprocess_image(image, p, out.data());
  return out;
}

float at(const std::vector<float>& out, int64_t crop, int channel, int64_t y, int64_t x) {
  return std::round(out[(channel * crop + y) * crop + x]);
}

}  // namespace

TEST_CASE("preprocess resizes the shorter side, truncates the longer, and crops the centre") {
  // 53 x 37 to 24: 24 * 53 / 37 = 34.4 -> 34 wide; crop 20: left (34 - 20) / 2 = 7, top 2.
  const Image source = noise(53, 37);
  const Preprocess p = bytes_out(24, 20);
  const auto out = run(source, p);
  const Image whole = resize(source, 34, 24, p.interpolation);
  for (int64_t y = 0; y < 20; ++y)
    for (int64_t x = 0; x < 20; ++x)
      for (int c = 0; c < 3; ++c)
        REQUIRE(at(out, 20, c, y, x) == whole.row(2 + y)[3 * (7 + x) + c]);
}

TEST_CASE("a crop that is no square is cut from the centre") {
  const Image source = noise(53, 37);
  const Preprocess p = bytes_out(24, {22, 14});
  const auto out = run(source, p);
  const Image whole = resize(source, 34, 24, p.interpolation);
  for (int64_t y = 0; y < 22; ++y)
    for (int64_t x = 0; x < 14; ++x)
      for (int c = 0; c < 3; ++c)
        REQUIRE(std::round(out[(c * 22 + y) * 14 + x]) == whole.row(1 + y)[3 * (10 + x) + c]);
}

TEST_CASE("squash gives an image the crop's shape, whatever its own") {
  const Image source = noise(53, 37);
  Preprocess p = bytes_out(20, 16);
  p.resize_mode = ResizeMode::kSquash;
  Size size = resized_size(source, p);
  CHECK(size.width == 20);
  CHECK(size.height == 20);
  const auto out = run(source, p);
  const Image whole = resize(source, 20, 20, p.interpolation);
  for (int64_t y = 0; y < 16; ++y)
    for (int64_t x = 0; x < 16; ++x)
      REQUIRE(at(out, 16, 1, y, x) == whole.row(2 + y)[3 * (2 + x) + 1]);
  p.crop = {16, 24};  // 20 is its height's; 20 * 24 / 16 = 30
  size = resized_size(source, p);
  CHECK(size.width == 30);
  CHECK(size.height == 20);
  p.resize = 0;
  CHECK(resized_size(source, p).width == 53);
}

TEST_CASE("gray is the luma of Pillow's L, after the resize") {
  Image image;
  image.width = 4, image.height = 1;
  image.pixels = {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30};
  Preprocess p = bytes_out(0, {1, 4});
  p.mean = {0}, p.std = {1 / 255.0F};
  const auto out = run(image, p);
  REQUIRE(out.size() == 4);
  const float expected[] = {76, 150, 29, 18};
  for (int i = 0; i < 4; ++i) CHECK(std::round(out[i]) == expected[i]);
  // As bytes, and drawn in gray, too.
  std::vector<uint8_t> pixels(4);
  crop_pixels(image, p, pixels.data());
  CHECK(pixels == std::vector<uint8_t>{76, 150, 29, 18});
  const Image drawn = image_of(pixels.data(), p);
  CHECK(drawn.pixels == std::vector<uint8_t>{76, 76, 76, 150, 150, 150, 29, 29, 29, 18, 18, 18});
  std::vector<float> planes(4);
  normalise(pixels.data(), p, planes.data());
  CHECK(planes == out);
  // ImageNet's means of gray are the means of its three.
  p.mean = imagenet_mean(1), p.std = imagenet_std(1);
  CHECK(run(image, p)[0] == doctest::Approx((76 / 255.0 - 0.449) / 0.226));
}

TEST_CASE("the bytes of an image become what the image becomes, each value of each channel") {
  Preprocess p;  // ImageNet's mean and deviation
  p.resize = 0;
  p.crop = 16;
  Image source = noise(16, 16);
  for (int i = 0; i < 256; ++i)
    for (int c = 0; c < 3; ++c) source.pixels[3 * i + c] = static_cast<uint8_t>(i + 17 * c);
  std::vector<uint8_t> pixels(3 * 256);
  crop_pixels(source, p, pixels.data());
  CHECK(pixels == source.pixels);
  CHECK(image_of(pixels.data(), p).pixels == source.pixels);
  std::vector<float> planes(3 * 256);
  normalise(pixels.data(), p, planes.data());
  CHECK(planes == run(source, p));
  const std::vector<float> levels = pixel_levels(p);
  REQUIRE(levels.size() == 3 * 256);
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < 256; ++i)
      CHECK(planes[c * 256 + i] == levels[c * 256 + (i + 17 * c) % 256]);
}

TEST_CASE("centre crop rounds half to even") {
  // 9 - 4 = 5: 2.5 -> 2. 7 - 4 = 3: 1.5 -> 2.
  const Image source = noise(9, 7);
  const auto out = run(source, bytes_out(0, 4));
  CHECK(at(out, 4, 0, 0, 0) == source.row(2)[3 * 2]);
  CHECK(at(out, 4, 2, 3, 3) == source.row(5)[3 * 5 + 2]);
}

TEST_CASE("an image smaller than the crop is padded with black, the odd pixel behind") {
  const Image source = noise(3, 6);
  const auto out = run(source, bytes_out(0, 6));
  for (int64_t y = 0; y < 6; ++y)
    for (int64_t x = 0; x < 6; ++x) {
      const bool inside = x >= 1 && x < 4;  // (6 - 3) / 2 = 1 before, 2 behind
      CHECK(at(out, 6, 1, y, x) == (inside ? source.row(y)[3 * (x - 1) + 1] : 0));
    }
}

TEST_CASE("a 1x1 image and extreme shapes go through") {
  Image one;
  one.width = one.height = 1;
  one.pixels = {10, 20, 30};
  const auto out = run(one, bytes_out(256, 224));
  CHECK(at(out, 224, 0, 0, 0) == 10);
  CHECK(at(out, 224, 2, 223, 223) == 30);
  // 1 x 5000 resized to 256 would be 256 x 1,280,000: only the window is computed.
  CHECK(run(noise(1, 5000), bytes_out(256, 224)).size() == 3 * 224 * 224);
  CHECK_THROWS_AS(run(Image{}, bytes_out(256, 224)), Error);
}

TEST_CASE("normalise is (v / 255 - mean) / std per channel plane") {
  Image image;
  image.width = image.height = 1;
  image.pixels = {255, 0, 128};
  Preprocess p;
  p.crop = 1;
  float out[3];
  normalise(image, p, out);
  CHECK(out[0] == doctest::Approx((1 - 0.485) / 0.229));
  CHECK(out[1] == doctest::Approx(-0.456 / 0.224));
  CHECK(out[2] == doctest::Approx((128.0 / 255 - 0.406) / 0.225));
  p.crop = 2;
  CHECK_THROWS_AS(normalise(image, p, out), Error);
}
