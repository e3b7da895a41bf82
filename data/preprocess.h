// A decoded image to the network's input, as at evaluation.
#pragma once

#include <cstdint>
#include <vector>

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

// An image as bytes: p.values() of them, pixel by pixel, of each R, G and B, or its gray.

/// Those of preprocess_image, before normalisation.
void crop_pixels(const Image& image, const Preprocess& p, uint8_t* out);
/// Makes of them what preprocess_image makes of the image, bit for bit.
void normalise(const uint8_t* pixels, const Preprocess& p, float* out);
/// What each byte of each channel becomes: (channels, 256).
std::vector<float> pixel_levels(const Preprocess& p);
/// In colour.
Image image_of(const uint8_t* pixels, const Preprocess& p);

}  // namespace shiftadd::data
