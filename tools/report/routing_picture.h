// A picture of which patches a network's routers sent to which expert, over the photograph.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/image.h"
#include "model/network.h"
#include "tools/report/canvas.h"

namespace shiftadd::tools {

/// Gold (their orange) and blue of Okabe and Ito's palette: apart for colour-blind eyes, and light
/// and dark.
inline constexpr Color kMultColor = {230, 159, 0}, kShiftColor = {0, 114, 178};

/// What a network answered for one image, and what its tokens did.
struct RoutedImage {
  data::Image photograph;        // as the network saw it
  std::vector<Router> routers;   // at least one
  std::vector<uint8_t> choices;  // of each router's tokens, as Session::run gives them
  std::string answer;            // name of the most probable class
  double probability;            // 0 .. 1
};

/// Where things are: a head with the photograph, the answer and the legend beside it, then a tile
/// for each router, its label below it; a block's routers stand side by side.
struct PictureLayout {
  struct Cell {
    int64_t column, row;
  };
  PictureLayout(int64_t image_width, int64_t image_height, const std::vector<Router>& routers);

  int64_t tile;              // width of a tile in pixels: kLeastTile to kMostTile
  int64_t tile_height;       // with the photograph's proportions
  int64_t text;              // pixels of a point of the font
  int64_t gap, label, head;  // pixels between tiles, of a label's height, of the head
  int64_t width, height;     // of the picture
  std::vector<Cell> cells;   // of the routers
  Area tile_at(int64_t router) const;
};
inline constexpr int64_t kLeastTile = 192, kMostTile = 448;

/// Class names lose what the font has no letter for, and their end where they are too long. Throws
/// Error (user) where the sizes do not agree.
data::Image draw_routing(const RoutedImage& image);

}  // namespace shiftadd::tools
