// Erases random rectangles of images.
#include "data/erasing.h"

#include <cmath>

namespace shiftadd::data {

void random_erasing(float* pixels, int64_t channels, int64_t height, int64_t width,
                    double probability, Random& random) {
  constexpr double kMinArea = 0.02, kMaxArea = 1.0 / 3, kMaxAspect = 1 / 0.3;
  constexpr int kTries = 10;
  if (probability <= 0 || random.uniform() >= probability) return;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const double area = random.uniform(kMinArea, kMaxArea) * static_cast<double>(height * width);
    const double aspect = std::exp(random.uniform(-std::log(kMaxAspect), std::log(kMaxAspect)));
    const auto h = static_cast<int64_t>(std::nearbyint(std::sqrt(area * aspect)));
    const auto w = static_cast<int64_t>(std::nearbyint(std::sqrt(area / aspect)));
    if (h >= height || w >= width) continue;
    const int64_t top = random.below(height - h + 1), left = random.below(width - w + 1);
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t y = top; y < top + h; ++y)
        for (int64_t x = left; x < left + w; ++x)
          pixels[(c * height + y) * width + x] = static_cast<float>(random.normal());
    return;
  }
}

}  // namespace shiftadd::data
