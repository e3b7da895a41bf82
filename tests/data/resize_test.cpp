// resize against Pillow's stored results, its windows, boxes, and the fast kernels against the
// plain ones.
#include "data/resize.h"

#include <algorithm>
#include <cstring>

#include "core/cpu/isa.h"
#include "core/random.h"
#include "data/resize_kernels.h"
#include "tests/data/images.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using test::noise;

namespace {

Image from_tensor(const Tensor& tensor) {
  Image image;
  image.height = tensor.dim(0);
  image.width = tensor.dim(1);
  const auto pixels = tensor.span<uint8_t>();
  image.pixels.assign(pixels.begin(), pixels.end());
  return image;
}

Image cut(const Image& image, int64_t x, int64_t y, int64_t w, int64_t h) {
  Image result;
  result.width = w;
  result.height = h;
  for (int64_t row = 0; row < h; ++row)
    result.pixels.insert(result.pixels.end(), image.row(y + row) + 3 * x,
                         image.row(y + row) + 3 * (x + w));
  return result;
}

}  // namespace

TEST_CASE("resize equals Pillow's results") {
  const TensorFile file = test::golden_operator("resize");
  int cases = 0;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.rfind("out.", 0) != 0) continue;
    INFO(name);
    // out.IMAGE.FILTER.HEIGHTxWIDTH
    const auto filter_at = name.find('.', 4) + 1, size_at = name.find('.', filter_at) + 1;
    const std::string image = name.substr(4, filter_at - 5),
                      filter = name.substr(filter_at, size_at - 1 - filter_at);
    int height = 0, width = 0;
    REQUIRE(std::sscanf(name.c_str() + size_at, "%dx%d", &height, &width) == 2);
    const Image result =
        resize(from_tensor(file.at("in." + image)), width, height,
               filter == "bicubic" ? Interpolation::kBicubic : Interpolation::kBilinear);
    const Image expected = from_tensor(tensor);
    REQUIRE(result.pixels.size() == expected.pixels.size());
    int worst = 0;
    for (std::size_t i = 0; i < result.pixels.size(); ++i)
      worst = std::max(worst, std::abs(result.pixels[i] - expected.pixels[i]));
    CHECK(worst == 0);  // the issue allows 1
    ++cases;
  }
  CHECK(cases > 0);
}

TEST_CASE("resize_window equals the same window of the whole result") {
  const struct {
    int64_t sw, sh, w, h;
  } sizes[] = {{53, 37, 24, 24}, {53, 37, 96, 64}, {20, 37, 20, 17},
               {17, 20, 31, 20}, {1, 1, 9, 5},     {3, 197, 64, 3}};
  for (const auto& s : sizes) {
    const Image source = noise(s.sw, s.sh);
    for (const Interpolation filter : {Interpolation::kBilinear, Interpolation::kBicubic}) {
      const Image whole = resize(source, s.w, s.h, filter);
      for (const auto& [x, y, w, h] : {std::array<int64_t, 4>{0, 0, 1, 1},
                                       {1, 2, s.w - 2, s.h - 2},
                                       {s.w - 1, s.h - 1, 1, 1},
                                       {s.w / 2, 0, s.w - s.w / 2, s.h}}) {
        INFO(s.sw, "x", s.sh, " to ", s.w, "x", s.h, " window ", x, " ", y, " ", w, " ", h);
        CHECK(resize_window(source, s.w, s.h, filter, x, y, w, h).pixels ==
              cut(whole, x, y, w, h).pixels);
      }
    }
  }
}

TEST_CASE(
    "resize with a whole-pixel box equals resizing the cut picture only away from the box's "
    "border") {
  // Pillow's box limits the mapping, not the taps: at the border they reach into the picture.
  const Image source = noise(64, 48);
  const Image boxed = resize(source, 16, 16, Interpolation::kBilinear, {8, 8, 40, 40});
  const Image alone = resize(cut(source, 8, 8, 32, 32), 16, 16, Interpolation::kBilinear);
  CHECK(cut(boxed, 2, 2, 12, 12).pixels == cut(alone, 2, 2, 12, 12).pixels);
  CHECK(boxed.pixels != alone.pixels);
}

TEST_CASE(
    "resize keeps a flat picture flat, copies at the same size, and follows a fractional box") {
  Image flat;
  flat.width = 17;
  flat.height = 3;
  flat.pixels.assign(17 * 3 * 3, 200);
  for (const Interpolation filter : {Interpolation::kBilinear, Interpolation::kBicubic})
    for (const uint8_t v : resize(flat, 197, 5, filter).pixels) REQUIRE(v == 200);
  const Image source = noise(17, 13);
  CHECK(resize(source, 17, 13, Interpolation::kBicubic).pixels == source.pixels);
  // A ramp 0, 10, 20, ...: a box moved by half a pixel moves the values by 5.
  Image ramp;
  ramp.width = 20;
  ramp.height = 1;
  for (int x = 0; x < 20; ++x)
    for (int c = 0; c < 3; ++c) ramp.pixels.push_back(static_cast<uint8_t>(10 * x));
  const Image moved = resize(ramp, 10, 1, Interpolation::kBilinear, {4.5, 0, 14.5, 1});
  for (int x = 0; x < 10; ++x) CHECK(moved.pixels[3 * x] == 45 + 10 * x);
}

TEST_CASE("resize refuses impossible sizes and boxes") {
  const Image source = noise(8, 8);
  CHECK_THROWS_AS(resize(source, 0, 8, Interpolation::kBilinear), Error);
  CHECK_THROWS_AS(resize(Image{}, 4, 4, Interpolation::kBilinear), Error);
  CHECK_THROWS_AS(resize(source, 4, 4, Interpolation::kBilinear, {0, 0, 9, 8}), Error);
  CHECK_THROWS_AS(resize(source, 4, 4, Interpolation::kBilinear, {3, 0, 3, 8}), Error);
  CHECK_THROWS_AS(resize_window(source, 4, 4, Interpolation::kBilinear, 2, 0, 3, 4), Error);
}

#if defined(__x86_64__)
TEST_CASE("the AVX2 kernels of resize give the plain kernels' bits") {
  if (isa() < Isa::kAvx2) return;
  Random random(5, 0);
  for (const int64_t count : {1, 2, 3, 4, 5, 7, 8, 17}) {
    for (const int64_t width : {1, 3, 17, 64, 197}) {
      ResizeTaps taps;
      taps.stride = (count + 3) / 4 * 4;
      const int64_t pixels = 40 + count;
      for (int64_t x = 0; x < width; ++x) {
        taps.first.push_back(static_cast<int32_t>(random.below(40)));
        taps.count.push_back(static_cast<int32_t>(count));
        for (int64_t k = 0; k < taps.stride; ++k)
          // Extremes included: 1.2 is more than any normalised bicubic weight.
          taps.weights.push_back(
              k < count ? static_cast<int32_t>(random.uniform(-0.2, 1.2) * (1 << kWeightBits) /
                                               static_cast<double>(count))
                        : 0);
      }
      std::vector<uint8_t> in(pixels * 3 + kRowSlack);
      for (uint8_t& v : in) v = static_cast<uint8_t>(random.below(256));
      std::vector<uint8_t> plain(width * 3), fast(width * 3);
      resize_row_plain(in.data(), taps, plain.data(), width);
      resize_row_avx2(in.data(), taps, fast.data(), width);
      CHECK(plain == fast);

      std::vector<uint8_t> rows(width * count);
      for (uint8_t& v : rows) v = static_cast<uint8_t>(random.below(256));
      plain.resize(width);
      fast.resize(width);
      resize_column_plain(rows.data(), width, taps.weights.data(), count, plain.data(), width);
      resize_column_avx2(rows.data(), width, taps.weights.data(), count, fast.data(), width);
      CHECK(plain == fast);
    }
  }
}
#endif
