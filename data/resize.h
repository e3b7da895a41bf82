// Antialiased separable resize, as Pillow's: fixed-point filters with support scaled by the
// reduction.
#pragma once

#include "core/preprocess.h"
#include "data/image.h"

namespace shiftadd::data {

/// A box of the source, in source pixels (may be fractional), scaled to width x height; Pillow's
/// resize(size, filter, box).
struct Box {
  double left, top, right, bottom;
};
Image resize(const Image& source, int64_t width, int64_t height, Interpolation filter);
Image resize(const Image& source, int64_t width, int64_t height, Interpolation filter,
             const Box& box);
/// Only columns [x, x+w) and rows [y, y+h) of what resize(source, width, height, filter) would
/// give.
Image resize_window(const Image& source, int64_t width, int64_t height, Interpolation filter,
                    int64_t x, int64_t y, int64_t w, int64_t h);
/// The same, but the window may leave the result: what lies outside is black (padding).
Image resize_window_padded(const Image& source, int64_t width, int64_t height, Interpolation filter,
                           int64_t x, int64_t y, int64_t w, int64_t h);

}  // namespace shiftadd::data
