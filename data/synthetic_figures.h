// The figures and textures of the synthetic set, as functions of the plane.
#pragma once

#include <cstdint>

#include "core/random.h"

namespace shiftadd::data {

/// One class's figure with its random shape, place and angle on the unit square.
class Figure {
 public:
  Figure(int64_t label, Random& random);
  /// Whether the point (x, y) of [0, 1]^2 belongs to the figure.
  bool covers(double x, double y) const;

 private:
  int64_t label_;
  double center_x_, center_y_, cosine_, sine_;
  double scale_;           // a figure's radius, a texture's period, as a part of the image's side
  double phase_, detail_;  // detail: thickness, duty, ... of the class, in [0, 1]
  double handed_;          // +1 or -1: a spiral's sense
};

}  // namespace shiftadd::data
