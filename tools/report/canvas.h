// Drawing on an RGB image: rectangles, tints and labels.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "data/image.h"

namespace shiftadd::tools {

using Color = std::array<uint8_t, 3>;

/// In pixels; what lies outside the image is left out.
struct Area {
  int64_t x, y, width, height;
};

data::Image make_canvas(int64_t width, int64_t height, Color color);
/// Every pixel of `area` becomes (1 - opacity) pixel + opacity color, opacity 0 .. 1.
void blend(data::Image& image, const Area& area, Color color, double opacity);
void fill(data::Image& image, const Area& area, Color color);
/// `part` with its top left corner at (x, y); must fit.
void paste(data::Image& image, const data::Image& part, int64_t x, int64_t y);

/// Text of printable ASCII, one line, its top left corner at (x, y); a point of the font is `scale`
/// pixels wide and high.
void draw_text(data::Image& image, int64_t x, int64_t y, const std::string& text, int64_t scale,
               Color color);
/// Pixels that draw_text covers: its width, and the height of a line with its descenders.
int64_t text_width(const std::string& text, int64_t scale);
inline constexpr int64_t kTextHeight = 10;  // points

}  // namespace shiftadd::tools
