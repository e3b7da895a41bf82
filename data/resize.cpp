// Antialiased resize: horizontal pass to an 8-bit intermediate, then vertical, over what the output
// needs only.
#include "data/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/cpu/isa.h"
#include "core/error.h"
#include "data/resize_kernels.h"

namespace shiftadd::data {

namespace {

double weight_bilinear(double x) { return std::max(0.0, 1 - std::abs(x)); }

// Keys 1981, "Cubic convolution interpolation for digital image processing", with a = -0.5.
double weight_bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// Taps of outputs [begin, end) of an axis that maps source interval [low, high) to `out` elements.
// The rounding of every step (float box, truncations, weights to the nearest integer away from
// zero) is what Pillow's results show.
ResizeTaps make_taps(int64_t in, float low, float high, int64_t out, int64_t begin, int64_t end,
                     Interpolation filter) {
  const bool cubic = filter == Interpolation::kBicubic;
  const double scale = static_cast<double>(high - low) / static_cast<double>(out);
  const double reduction = std::max(scale, 1.0), shrink = 1 / reduction;
  const double support = (cubic ? 2.0 : 1.0) * reduction;
  ResizeTaps taps;
  taps.stride = (static_cast<int64_t>(std::ceil(support)) * 2 + 1 + 3) / 4 * 4;
  taps.first.resize(end - begin);
  taps.count.resize(end - begin);
  taps.weights.assign((end - begin) * taps.stride, 0);
  std::vector<double> exact(taps.stride);
  for (int64_t i = begin; i < end; ++i) {
    const double center = low + (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const auto last = std::min<int64_t>(in, static_cast<int64_t>(center + support + 0.5));
    double total = 0;
    for (int64_t k = first; k < last; ++k) {
      const double x = (static_cast<double>(k) - center + 0.5) * shrink;
      exact[k - first] = cubic ? weight_bicubic(x) : weight_bilinear(x);
      total += exact[k - first];
    }
    int32_t* weights = &taps.weights[(i - begin) * taps.stride];
    for (int64_t k = 0; k < last - first; ++k) {
      const double weight = (total != 0 ? exact[k] / total : exact[k]) * (1 << kWeightBits);
      weights[k] = static_cast<int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    taps.first[i - begin] = static_cast<int32_t>(first);
    taps.count[i - begin] = static_cast<int32_t>(last - first);
  }
  return taps;
}

struct Kernels {
  HorizontalKernel row;
  VerticalKernel column;
};

Kernels choose_kernels() {
#if defined(__x86_64__)
  if (isa() >= Isa::kAvx2) return {resize_row_avx2, resize_column_avx2};
#endif
  return {resize_row_plain, resize_column_plain};
}

struct Window {
  int64_t x, y, w, h;
};

Image resize_box_window(const Image& source, int64_t width, int64_t height, Interpolation filter,
                        const Box& box, const Window& window) {
  if (source.width < 1 || source.height < 1 || width < 1 || height < 1)
    throw user_error("[resize] cannot make ", width, " x ", height, " pixels of ", source.width,
                     " x ", source.height);
  if (!(box.left >= 0 && box.top >= 0 && box.left < box.right && box.top < box.bottom &&
        box.right <= static_cast<double>(source.width) &&
        box.bottom <= static_cast<double>(source.height)))
    throw user_error("[resize] box (", box.left, ", ", box.top, ", ", box.right, ", ", box.bottom,
                     ") is not within the image of ", source.width, " x ", source.height);
  if (window.x < 0 || window.y < 0 || window.w < 1 || window.h < 1 || window.x + window.w > width ||
      window.y + window.h > height)
    throw user_error("[resize] window is not within the ", width, " x ", height, " result");

  const Kernels kernels = choose_kernels();
  const bool same_width =
      width == source.width && box.left == 0 && box.right == static_cast<double>(width);
  const bool same_height =
      height == source.height && box.top == 0 && box.bottom == static_cast<double>(height);
  Image result;
  result.width = window.w;
  result.height = window.h;
  result.pixels.resize(window.w * window.h * 3);

  // Rows [row_begin, row_end) of the source are needed.
  ResizeTaps vertical;
  int64_t row_begin = window.y, row_end = window.y + window.h;
  if (!same_height) {
    vertical = make_taps(source.height, static_cast<float>(box.top), static_cast<float>(box.bottom),
                         height, window.y, window.y + window.h, filter);
    row_begin = vertical.first.front();
    row_end = vertical.first.back() + vertical.count.back();
  }

  // The horizontal pass; straight to the result when it is the only one, skipped when the widths
  // agree.
  const int64_t row_bytes = window.w * 3;
  std::vector<uint8_t> between;
  const uint8_t* rows = source.row(row_begin) + 3 * window.x;
  int64_t stride = source.width * 3;
  if (!same_width) {
    const ResizeTaps horizontal =
        make_taps(source.width, static_cast<float>(box.left), static_cast<float>(box.right), width,
                  window.x, window.x + window.w, filter);
    uint8_t* out = result.pixels.data();
    if (!same_height) {
      between.resize((row_end - row_begin) * row_bytes);
      out = between.data();
    }
    for (int64_t y = row_begin; y < row_end; ++y, out += row_bytes) {
      // A fast kernel reads a few bytes past the row: rows at the picture's end go through the
      // plain one, which gives the same bits.
      const bool at_end = (source.height - 1 - y) * source.width * 3 < kRowSlack;
      (at_end ? resize_row_plain : kernels.row)(source.row(y), horizontal, out, window.w);
    }
    if (same_height) return result;
    rows = between.data();
    stride = row_bytes;
  }
  for (int64_t y = 0; y < window.h; ++y) {
    if (same_height) {
      std::memcpy(result.row(y), rows + y * stride, row_bytes);
    } else {
      kernels.column(rows + (vertical.first[y] - row_begin) * stride, stride,
                     &vertical.weights[y * vertical.stride], vertical.count[y], result.row(y),
                     row_bytes);
    }
  }
  return result;
}

}  // namespace

Image resize(const Image& source, int64_t width, int64_t height, Interpolation filter,
             const Box& box) {
  return resize_box_window(source, width, height, filter, box, {0, 0, width, height});
}

Image resize(const Image& source, int64_t width, int64_t height, Interpolation filter) {
  return resize_window(source, width, height, filter, 0, 0, width, height);
}

Image resize_window(const Image& source, int64_t width, int64_t height, Interpolation filter,
                    int64_t x, int64_t y, int64_t w, int64_t h) {
  const Box whole{0, 0, static_cast<double>(source.width), static_cast<double>(source.height)};
  return resize_box_window(source, width, height, filter, whole, {x, y, w, h});
}

Image resize_window_padded(const Image& source, int64_t width, int64_t height, Interpolation filter,
                           int64_t x, int64_t y, int64_t w, int64_t h) {
  const int64_t left = std::max<int64_t>(0, x), right = std::min(width, x + w);
  const int64_t top = std::max<int64_t>(0, y), bottom = std::min(height, y + h);
  const bool visible = left < right && top < bottom;
  if (visible && right - left == w && bottom - top == h)
    return resize_window(source, width, height, filter, x, y, w, h);
  Image padded;
  padded.width = w;
  padded.height = h;
  padded.pixels.assign(w * h * 3, 0);
  if (!visible) return padded;
  const Image window =
      resize_window(source, width, height, filter, left, top, right - left, bottom - top);
  for (int64_t row = 0; row < window.height; ++row)
    std::memcpy(padded.row(top - y + row) + 3 * (left - x), window.row(row), window.width * 3);
  return padded;
}

}  // namespace shiftadd::data
