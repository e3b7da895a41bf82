// Copies the pixels of each patch into one row, in parallel over the rows of patches.
#include "infer/patches.h"

#include <algorithm>

#include "core/parallel.h"

namespace shiftadd::infer {

void gather_patches(const ModelSpec& spec, const float* images, int64_t count, float* patches) {
  const int64_t size = spec.image_size, patch = spec.patch_size, grid = spec.grid();
  const int64_t channels = spec.in_channels, values = channels * patch * patch;
  parallel_for(count * grid, [&](int64_t band) {  // one row of patches of one image
    const float* image = images + band / grid * channels * size * size;
    float* out = patches + band * grid * values;
    for (int64_t channel = 0; channel < channels; ++channel)
      for (int64_t y = 0; y < patch; ++y) {
        const float* in = image + (channel * size + band % grid * patch + y) * size;
        float* to = out + (channel * patch + y) * patch;
        for (int64_t column = 0; column < grid; ++column)
          std::copy_n(in + column * patch, patch, to + column * values);
      }
  });
}

}  // namespace shiftadd::infer
