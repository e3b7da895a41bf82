// Flips, crops and transforms images.
#include "data/augment_geometry.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace shiftadd::data {

namespace {

double bilinear(const std::array<double, 4>& v, double d) { return v[1] + d * (v[2] - v[1]); }

// Cubic convolution with a = -1 (Pillow's transform; its resize uses -0.5).
double bicubic(const std::array<double, 4>& v, double d) {
  const double linear = v[2] - v[0], square = 2 * (v[0] - v[1]) + v[2] - v[3],
               cube = v[1] - v[0] - v[2] + v[3];
  return v[1] + d * (linear + d * (square + d * cube));
}

}  // namespace

Image transform(const Image& source, const Affine& matrix, Interpolation filter,
                const Colour& fill) {
  const auto blend = filter == Interpolation::kBicubic ? bicubic : bilinear;
  const int reach =
      filter == Interpolation::kBicubic ? 1 : 0;  // taps before and behind the middle two
  const auto width = static_cast<double>(source.width), height = static_cast<double>(source.height);
  Image result = source;
  for (int64_t y = 0; y < result.height; ++y) {
    uint8_t* out = result.row(y);
    for (int64_t x = 0; x < result.width; ++x, out += 3) {
      const double cx = static_cast<double>(x) + 0.5, cy = static_cast<double>(y) + 0.5;
      const double sx = matrix[0] * cx + matrix[1] * cy + matrix[2],
                   sy = matrix[3] * cx + matrix[4] * cy + matrix[5];
      if (!(sx >= 0 && sx < width && sy >= 0 && sy < height)) {
        std::copy(fill.begin(), fill.end(), out);
        continue;
      }
      const double left = std::floor(sx - 0.5), top = std::floor(sy - 0.5);
      const double dx = sx - 0.5 - left, dy = sy - 0.5 - top;
      std::array<int64_t, 4> columns{};
      for (int k = 1 - reach; k <= 2 + reach; ++k)
        columns[k] =
            3 * std::clamp<int64_t>(static_cast<int64_t>(left) + k - 1, 0, source.width - 1);
      for (int c = 0; c < 3; ++c) {
        std::array<double, 4> rows{};
        for (int j = 1 - reach; j <= 2 + reach; ++j) {
          const uint8_t* row = source.row(std::clamp<int64_t>(static_cast<int64_t>(top) + j - 1, 0,
                                                              source.height - 1)) +
                               c;
          std::array<double, 4> values{};
          for (int k = 1 - reach; k <= 2 + reach; ++k) values[k] = row[columns[k]];
          rows[j] = blend(values, dx);
        }
        out[c] = static_cast<uint8_t>(std::clamp(blend(rows, dy), 0.0, 255.0));
      }
    }
  }
  return result;
}

Affine rotation(double degrees, int64_t width, int64_t height) {
  const double angle = -degrees * std::numbers::pi / 180, cosine = std::cos(angle),
               sine = std::sin(angle);
  const double x = static_cast<double>(width) / 2, y = static_cast<double>(height) / 2;
  return {cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y};
}

void flip_horizontally(Image& image) {
  for (int64_t y = 0; y < image.height; ++y) {
    uint8_t* row = image.row(y);
    for (int64_t x = 0; x < image.width / 2; ++x)
      std::swap_ranges(row + 3 * x, row + 3 * x + 3, row + 3 * (image.width - 1 - x));
  }
}

Image crop(const Image& source, int64_t x, int64_t y, int64_t width, int64_t height) {
  Image result;
  result.width = width;
  result.height = height;
  result.pixels.resize(width * height * 3);
  for (int64_t row = 0; row < height; ++row) {
    const uint8_t* from = source.row(y + row) + 3 * x;
    std::copy(from, from + 3 * width, result.row(row));
  }
  return result;
}

}  // namespace shiftadd::data
