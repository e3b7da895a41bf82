// Reads and writes sizes as command lines have them.
#include "core/grid.h"

#include <charconv>
#include <string_view>

namespace shiftadd {

std::string grid_text(const Grid& grid) {
  const std::string height = std::to_string(grid.height);
  return grid.is_square() ? height : height + "x" + std::to_string(grid.width);
}

std::optional<Grid> parse_grid(const std::string& text, int64_t most) {
  const auto side = [most](std::string_view part) {
    int64_t length = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), length);
    const bool whole = error == std::errc() && stop == part.data() + part.size();
    return whole && length <= most ? length : 0;
  };
  const std::size_t cross = text.find('x');
  const std::string_view all = text;
  const int64_t height = side(all.substr(0, cross)),
                width = cross == std::string::npos ? height : side(all.substr(cross + 1));
  if (height < 1 || width < 1) return std::nullopt;
  return Grid(height, width);
}

}  // namespace shiftadd
