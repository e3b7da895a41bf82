// Rows and columns of pixels, patches or tokens.
#pragma once

#include <cstdint>
#include <ostream>

namespace shiftadd {

struct Grid {
  int64_t height = 0, width = 0;

  static Grid square(int64_t side) { return {side, side}; }
  int64_t count() const { return height * width; }
  bool is_square() const { return height == width; }
  bool operator==(const Grid&) const = default;
};

/// "224 x 160": height first, as everywhere.
inline std::ostream& operator<<(std::ostream& out, const Grid& grid) {
  return out << grid.height << " x " << grid.width;
}

}  // namespace shiftadd
