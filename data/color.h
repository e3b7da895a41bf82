// Pixel-wise colour operations on 8-bit RGB, in place, with the rounding of Pillow's ImageEnhance
// and ImageOps.
#pragma once

#include "data/image.h"

namespace shiftadd::data {

/// The gray of one pixel, 0 to 255: ITU-R 601-2 luma as Pillow's convert("L"), rounded.
inline int luma(const uint8_t* rgb) {
  return (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16;
}

/// Blends with a degenerate picture: 0 gives that picture, 1 the image, more goes beyond it
/// (clamped).
void adjust_brightness(Image& image, double factor);  // towards black
void adjust_contrast(Image& image, double factor);    // towards the mean gray
void adjust_saturation(Image& image, double factor);  // towards gray
void adjust_sharpness(Image& image, double factor);   // towards a 3x3 smoothing

void autocontrast(Image& image);  // each channel stretched to 0..255
void equalize(Image& image);      // each channel's histogram levelled
void invert(Image& image);
void posterize(Image& image, int bits);      // keeps the upper `bits` of 8
void solarize(Image& image, int threshold);  // inverts values >= threshold
void solarize_add(Image& image, int add);    // adds to values < 128, clamped

}  // namespace shiftadd::data
