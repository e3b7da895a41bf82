// A decoded image to the network's input, as at evaluation.
#pragma once

#include "core/preprocess.h"
#include "data/image.h"

namespace shiftadd::data {

/// out: p.values() floats, channel planes R, G, B, or one of gray. Resized as p says, centre crop
/// (torchvision's rounding), / 255, - mean, / std. An image smaller than the crop after resizing is
/// padded with black as torchvision does.
void preprocess_image(const Image& image, const Preprocess& p, float* out);
/// The pixels of preprocess_image, before normalisation: the crop, in colour.
Image evaluation_crop(const Image& image, const Preprocess& p);
/// Size after p.resize (0: the image's own): its shorter side is p.resize, and the other follows
/// from the image, rounded down, or, where images are squashed, from the crop, rounded.
struct Size {
  int64_t width, height;
};
Size resized_size(const Image& image, const Preprocess& p);
/// RGB bytes of the crop's size to normalised planes. Gray is what Pillow's convert("L") makes.
void normalise(const Image& image, const Preprocess& p, float* out);
/// The pixels that normalise made `planes` from; gray where they are one.
Image denormalise(const float* planes, const Preprocess& p);

}  // namespace shiftadd::data
