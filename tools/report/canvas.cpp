// Blends rectangles into an image, and draws text as rectangles. The font is stb_easy_font, whose
// letters are rectangles.
#include "tools/report/canvas.h"

#include <stb_easy_font.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace shiftadd::tools {
namespace {

// stb_easy_font writes corners in this form; four make a rectangle, of which the first is the top
// left and the third the bottom right.
struct Corner {
  float x, y, z;
  uint8_t color[4];
};

std::vector<Corner> corners_of(std::string text) {
  std::vector<Corner> corners(4 * 40 * (text.size() + 1));  // a letter has at most some 25 strokes
  const int quads = stb_easy_font_print(0, 0, text.data(), nullptr, corners.data(),
                                        static_cast<int>(corners.size() * sizeof(Corner)));
  corners.resize(4 * static_cast<std::size_t>(quads));
  return corners;
}

}  // namespace

data::Image make_canvas(int64_t width, int64_t height, Color color) {
  data::Image image{width, height, std::vector<uint8_t>(width * height * 3)};
  fill(image, {0, 0, width, height}, color);
  return image;
}

void blend(data::Image& image, const Area& area, Color color, double opacity) {
  const int64_t left = std::max<int64_t>(0, area.x), top = std::max<int64_t>(0, area.y);
  const int64_t right = std::min(image.width, area.x + area.width);
  const int64_t bottom = std::min(image.height, area.y + area.height);
  for (int64_t y = top; y < bottom; ++y)
    for (int64_t x = left; x < right; ++x)
      for (int c = 0; c < 3; ++c) {
        uint8_t& value = image.row(y)[3 * x + c];
        value = static_cast<uint8_t>(std::lround((1 - opacity) * value + opacity * color[c]));
      }
}

void fill(data::Image& image, const Area& area, Color color) { blend(image, area, color, 1); }

void paste(data::Image& image, const data::Image& part, int64_t x, int64_t y) {
  for (int64_t row = 0; row < part.height; ++row)
    std::copy_n(part.row(row), 3 * part.width, image.row(y + row) + 3 * x);
}

void draw_text(data::Image& image, int64_t x, int64_t y, const std::string& text, int64_t scale,
               Color color) {
  const std::vector<Corner> corners = corners_of(text);
  for (std::size_t i = 0; i < corners.size(); i += 4) {
    const auto at = [&](float value) { return scale * std::lround(value); };
    const Corner &from = corners[i], &to = corners[i + 2];
    const int64_t bold = scale / 2;  // the font's upright strokes are thin
    fill(image, {x + at(from.x), y + at(from.y), at(to.x - from.x) + bold, at(to.y - from.y)},
         color);
  }
}

int64_t text_width(const std::string& text, int64_t scale) {
  return scale * stb_easy_font_width(std::string(text).data());
}

}  // namespace shiftadd::tools
