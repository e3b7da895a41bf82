// Rows and columns of pixels, patches or tokens.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

namespace shiftadd {

struct Grid {
  int64_t height = 0, width = 0;

  constexpr Grid() = default;
  /// One number is the side of a square, as in the files that say sizes.
  constexpr Grid(int64_t side) : height(side), width(side) {}
  constexpr Grid(int64_t rows, int64_t columns) : height(rows), width(columns) {}

  constexpr int64_t count() const { return height * width; }
  constexpr int64_t shorter() const { return std::min(height, width); }
  constexpr int64_t longer() const { return std::max(height, width); }
  constexpr bool is_square() const { return height == width; }
  bool operator==(const Grid&) const = default;
};

/// "224 x 160": height first, as everywhere.
inline std::ostream& operator<<(std::ostream& out, const Grid& grid) {
  return out << grid.height << " x " << grid.width;
}

/// "224", of no square "224x160": height first.
std::string grid_text(const Grid& grid);
/// Reads it back; nothing for another text, and for a side below 1 or above `most`.
std::optional<Grid> parse_grid(const std::string& text, int64_t most);

}  // namespace shiftadd
