// Places a tile for each router, tints its patches by expert, and adds the photograph and a legend.
#include "tools/report/routing_picture.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/error.h"
#include "core/unicode.h"
#include "data/resize.h"
#include "infer/mixture.h"

namespace shiftadd::tools {
namespace {

constexpr Color kPaper = {255, 255, 255}, kInk = {32, 32, 32}, kNothing = {176, 176, 176};
constexpr int kDarkest = 72;       // black in a tile
constexpr double kOpacity = 0.55;  // of a tint: the photograph stays visible
constexpr int64_t kMostColumns = 6, kLabelLines = 3;
constexpr int64_t kSwatch = 12;  // points of a square and the space behind it

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Each kind of layer with a router has its column; blocks stand side by side while there is room.
struct Placing {
  explicit Placing(const std::vector<Router>& routers) {
    std::vector<std::string> layers;
    std::vector<int64_t> blocks;
    const auto index_in = [](auto& known, const auto& each) {
      const auto found = std::find(known.begin(), known.end(), each);
      const int64_t index = found - known.begin();
      if (found == known.end()) known.push_back(each);
      return index;
    };
    std::vector<std::pair<int64_t, int64_t>> places;  // block, layer
    for (const Router& router : routers)
      places.emplace_back(index_in(blocks, router.id.block), index_in(layers, router.layer));
    const auto kinds = static_cast<int64_t>(layers.size());
    const auto count = static_cast<int64_t>(blocks.size());
    const int64_t most = std::max<int64_t>(1, kMostColumns / kinds);
    const int64_t beside = divide_up(count, divide_up(count, most));  // rows of equal length
    columns = beside * kinds;
    rows = divide_up(count, beside);
    for (const auto& [block, layer] : places)
      cells.push_back({block % beside * kinds + layer, block / beside});
  }
  int64_t columns, rows;
  std::vector<PictureLayout::Cell> cells;
};

data::Image scaled(const data::Image& image, int64_t width, int64_t height) {
  if (image.width == width && image.height == height) return image;
  return data::resize(image, width, height, Interpolation::kBicubic);
}

// Colour is left to the tints, which show best on light ground.
data::Image light_gray(data::Image image) {
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    uint8_t* p = image.pixels.data() + i;  // ITU-R BT.601
    const int luma = (299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000;
    p[0] = p[1] = p[2] = static_cast<uint8_t>(kDarkest + luma * (255 - kDarkest) / 255);
  }
  return image;
}

Color color_of(uint8_t choice) {
  return choice == kMultExpert ? kMultColor : choice == kShiftExpert ? kShiftColor : kNothing;
}

const char* meaning_of(uint8_t choice) {
  return choice == kMultExpert    ? "gold: tokens that multiply"
         : choice == kShiftExpert ? "blue: tokens that shift"
                                  : "gray: not routed";
}

// Returns as much of the words as fits, with dots for what does not.
std::string fitting(std::string words, int64_t width, int64_t scale) {
  if (text_width(words, scale) <= width) return words;
  while (!words.empty() && text_width(words + "...", scale) > width) words.pop_back();
  return words + "...";
}

// Counts the tokens that were routed, and those of them that shift.
struct Shares {
  int64_t shift = 0, tokens = 0;
  void add(uint8_t choice) {
    shift += choice == kShiftExpert;
    tokens += choice != infer::kNotRouted;
  }
  std::string text() const {
    char line[32];
    std::snprintf(line, sizeof line, "Shift %.1f %%",
                  tokens ? 100.0 * static_cast<double>(shift) / static_cast<double>(tokens) : 0.0);
    return line;
  }
};

class Painter {
 public:
  explicit Painter(const RoutedImage& routed)
      : routed_(routed),
        layout_(routed.photograph.width, routed.photograph.height, routed.routers),
        photograph_(scaled(routed.photograph, layout_.tile, layout_.tile_height)),
        base_(light_gray(photograph_)),
        picture_(make_canvas(layout_.width, layout_.height, kPaper)) {}

  data::Image draw() {
    const uint8_t* choices = routed_.choices.data();
    for (std::size_t i = 0; i < routed_.routers.size(); ++i) {
      tile(routed_.routers[i], layout_.tile_at(static_cast<int64_t>(i)), choices);
      choices += routed_.routers[i].tokens;
    }
    head();
    return std::move(picture_);
  }

 private:
  int64_t line_height() const { return kTextHeight * layout_.text + layout_.text; }

  void text(int64_t x, int64_t y, const std::string& words) {
    draw_text(picture_, x, y, words, layout_.text, kInk);
  }
  // Draws a square in an expert's colour, as a tile shows it on a middle gray, and words behind it.
  void swatch(int64_t x, int64_t y, uint8_t choice, const std::string& words) {
    const int64_t side = 8 * layout_.text;
    fill(picture_, {x, y, side, side}, kNothing);
    blend(picture_, {x, y, side, side}, color_of(choice), kOpacity);
    text(x + kSwatch * layout_.text, y, words);
  }

  // choices: of the class token, if there is one, then of the patches.
  void tile(const Router& router, const Area& area, const uint8_t* choices) {
    paste(picture_, base_, area.x, area.y);
    const Grid& grid = router.grid;
    const auto left = [&](int64_t column) { return column * area.width / grid.width; };
    const auto top = [&](int64_t row) { return row * area.height / grid.height; };
    const int64_t line = area.width / grid.width >= 4;  // of bare photograph, between patches
    Shares shares;
    for (int64_t token = 0; token < router.prefix; ++token) shares.add(choices[token]);
    bool patches = false;
    for (int64_t row = 0; row < grid.height; ++row)
      for (int64_t column = 0; column < grid.width; ++column) {
        const uint8_t choice = choices[router.prefix + row * grid.width + column];
        shares.add(choice);
        if (choice == infer::kNotRouted) continue;
        patches = true;
        const int64_t x = left(column), y = top(row);
        blend(picture_,
              {area.x + x, area.y + y, left(column + 1) - x - line, top(row + 1) - y - line},
              color_of(choice), kOpacity);
      }
    total_.shift += shares.shift;
    total_.tokens += shares.tokens;
    bare_ = bare_ || !patches;

    int64_t y = area.y + area.height + 2 * layout_.text;
    text(area.x, y, concat("block ", router.id.block, " ", router.layer));
    text(area.x, y += line_height(), patches ? shares.text() : "class token only");
    if (router.prefix) swatch(area.x, y += line_height(), choices[0], "class token");
  }

  void head() {
    const int64_t gap = layout_.gap, x = 2 * gap + layout_.tile, step = 3 * line_height() / 2;
    paste(picture_, photograph_, gap, gap);
    int64_t y = gap;
    char answer[32];
    std::snprintf(answer, sizeof answer, "answer, %.1f %%:", 100 * routed_.probability);
    text(x, y, answer);
    const int64_t room = layout_.width - gap - x;
    text(x, y += line_height(), fitting(plain_ascii(routed_.answer), room, layout_.text));
    swatch(x, y += step, kMultExpert, meaning_of(kMultExpert));
    swatch(x, y += step, kShiftExpert, meaning_of(kShiftExpert));
    if (bare_) swatch(x, y += step, infer::kNotRouted, meaning_of(infer::kNotRouted));
    text(x, y += step, total_.text() + " of tokens");
  }

  const RoutedImage& routed_;
  const PictureLayout layout_;
  const data::Image photograph_, base_;
  data::Image picture_;
  Shares total_;
  bool bare_ = false;  // some tile shows no routed patch
};

}  // namespace

PictureLayout::PictureLayout(int64_t image_width, int64_t image_height,
                             const std::vector<Router>& routers)
    : tile(std::min(kMostTile, image_width * divide_up(kLeastTile, image_width))),
      tile_height(std::max<int64_t>(1, tile * image_height / image_width)),
      text(tile / 96),
      gap(6 * text),
      label(kLabelLines * (kTextHeight + 1) * text + 2 * text),
      head(tile_height + 2 * gap) {
  Placing placing(routers);
  cells = std::move(placing.cells);
  const int64_t legend = kSwatch * text + text_width(meaning_of(kMultExpert), text);
  width = 2 * gap + std::max(placing.columns * (tile + gap) - gap, tile + gap + legend);
  height = head + placing.rows * (tile_height + label + gap);
}

Area PictureLayout::tile_at(int64_t router) const {
  const Cell& cell = cells[static_cast<std::size_t>(router)];
  return {gap + cell.column * (tile + gap), head + cell.row * (tile_height + label + gap), tile,
          tile_height};
}

data::Image draw_routing(const RoutedImage& image) {
  const int64_t expected = routed_tokens(image.routers);
  if (image.routers.empty() || static_cast<int64_t>(image.choices.size()) != expected ||
      image.photograph.width < 1 || image.photograph.height < 1)
    throw user_error("[routing picture] ", image.routers.size(), " routers, ", image.choices.size(),
                     " choices, a photograph of ", image.photograph.width, " x ",
                     image.photograph.height, ": expected at least one router, ", expected,
                     " choices and a photograph");
  return Painter(image).draw();
}

}  // namespace shiftadd::tools
