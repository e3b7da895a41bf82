// Affine transforms of a picture onto a canvas of its own size.
#pragma once

#include <array>

#include "core/preprocess.h"
#include "data/image.h"

namespace shiftadd::data {

using Colour = std::array<uint8_t, 3>;

/// Output pixel (x, y) takes source position (m0 x + m1 y + m2, m3 x + m4 y + m5), both measured at
/// pixel centres; positions outside the source become `fill`. No antialiasing. The formulas are
/// those of Pillow's transform().
using Affine = std::array<double, 6>;
Image transform(const Image& source, const Affine& matrix, Interpolation filter,
                const Colour& fill);
/// The matrix that turns by `degrees` counter-clockwise about the centre.
Affine rotation(double degrees, int64_t width, int64_t height);

void flip_horizontally(Image& image);
Image crop(const Image& source, int64_t x, int64_t y, int64_t width, int64_t height);

}  // namespace shiftadd::data
