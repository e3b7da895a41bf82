// Random erasing (Zhong et al. 2017, arXiv:1708.04896) of a normalised image.
#pragma once

#include "core/random.h"

namespace shiftadd::data {

/// With `probability` fills one rectangle of 2 % .. 33 % of the area, aspect 0.3 .. 3.3, with
/// standard normal noise per value (timm's mode "pixel"). pixels: (channels, height, width).
void random_erasing(float* pixels, int64_t channels, int64_t height, int64_t width,
                    double probability, Random& random);

}  // namespace shiftadd::data
