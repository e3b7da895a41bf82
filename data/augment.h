// Random augmentation of one training image. All draws come from the Random given.
#pragma once

#include <string>

#include "core/preprocess.h"
#include "core/random.h"
#include "data/image.h"

namespace shiftadd::data {

struct AugmentOptions {
  enum class Crop { kNone, kRandomResized, kPadded };  // kNone: evaluation's resize and centre crop
  Crop crop = Crop::kRandomResized;
  double scale_min = 0.08, scale_max = 1;           // kRandomResized: share of the area
  double ratio_min = 3.0 / 4, ratio_max = 4.0 / 3;  // kRandomResized: width / height
  int64_t padding = 4;                              // kPadded: pad all sides, crop back
  double horizontal_flip = 0.5;
  double color_jitter = 0;    // brightness, contrast, saturation in 1 +- this, random order
  std::string rand_augment;   // "" or timm's grammar: "rand-m9-mstd0.5-inc1"
  double random_erasing = 0;  // probability; pixel mode, after normalisation
};

/// Checks ranges and the RandAugment string; throws Error naming the key under `where`
/// ("data.augment").
void validate(const AugmentOptions& options, const std::string& where);

/// image -> p.values() normalised floats at `out`; gray is made of the augmented colours.
void augment_image(const Image& image, const AugmentOptions& options, const Preprocess& p,
                   Random& random, float* out);

/// Mixes images within a batch, in place (timm's batch mode). targets (rows, classes) are
/// distributions. With probability `probability` one of the two is applied; `switch_probability`
/// chooses cutmix when both alphas are > 0.
struct MixOptions {
  double mixup_alpha = 0, cutmix_alpha = 0, probability = 1, switch_probability = 0.5;
};
/// Checks ranges; throws Error naming the key under `where` ("data.mix").
void validate(const MixOptions& options, const std::string& where);
void mix_batch(const MixOptions& options, Random& random, int64_t rows, int64_t channels,
               int64_t height, int64_t width, float* images, int64_t classes, float* targets);

}  // namespace shiftadd::data
