// A decoded image to the network's input, as at evaluation.
#pragma once

#include "core/preprocess.h"
#include "data/image.h"

namespace shiftadd::data {

/// out: 3 * crop * crop floats, channel planes R, G, B. Shorter side to p.resize, centre crop
/// (torchvision's rounding), / 255, - mean, / std. An image smaller than the crop after resizing is
/// padded with black as torchvision does.
void preprocess_image(const Image& image, const Preprocess& p, float* out);
/// The pixels of preprocess_image, before normalisation: crop x crop.
Image evaluation_crop(const Image& image, const Preprocess& p);
/// Size after p.resize (0: the image's own).
struct Size {
  int64_t width, height;
};
Size resized_size(const Image& image, const Preprocess& p);
/// RGB bytes, width == height == crop, to normalised planes.
void normalise(const Image& image, const Preprocess& p, float* out);
/// The pixels that normalise made `planes` (3, crop, crop) from.
Image denormalise(const float* planes, const Preprocess& p);

}  // namespace shiftadd::data
