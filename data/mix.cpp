// Mixup (arXiv:1710.09412) and CutMix (arXiv:1905.04899) within a batch: each row meets its mirror,
// row i with rows - 1 - i.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/augment.h"

namespace shiftadd::data {

namespace {

// a and b become a l + b (1 - l) and b l + a (1 - l).
void mix_rows(float* a, float* b, int64_t count, float lambda) {
  for (int64_t i = 0; i < count; ++i) {
    const float first = a[i], second = b[i];
    a[i] = first * lambda + second * (1 - lambda);
    b[i] = second * lambda + first * (1 - lambda);
  }
}

struct Rectangle {
  int64_t top, bottom, left, right;
};

// A box of about (1 - lambda) of the area around a uniform centre, cut at the border.
Rectangle cut_box(double lambda, int64_t height, int64_t width, Random& random) {
  const double ratio = std::sqrt(1 - lambda);
  const int64_t half_h = static_cast<int64_t>(static_cast<double>(height) * ratio) / 2;
  const int64_t half_w = static_cast<int64_t>(static_cast<double>(width) * ratio) / 2;
  const int64_t y = random.below(height), x = random.below(width);
  return {std::max<int64_t>(0, y - half_h), std::min(height, y + half_h),
          std::max<int64_t>(0, x - half_w), std::min(width, x + half_w)};
}

}  // namespace

void validate(const MixOptions& options, const std::string& where) {
  const auto check = [&](double value, double high, const char* key) {
    if (!(value >= 0 && value <= high))
      throw user_error(where, ".", key, " is ", value, ": expected 0 .. ", high);
  };
  check(options.mixup_alpha, 100, "mixup_alpha");
  check(options.cutmix_alpha, 100, "cutmix_alpha");
  check(options.probability, 1, "probability");
  check(options.switch_probability, 1, "switch_probability");
}

void mix_batch(const MixOptions& options, Random& random, int64_t rows, int64_t channels,
               int64_t height, int64_t width, float* images, int64_t classes, float* targets) {
  if (options.mixup_alpha <= 0 && options.cutmix_alpha <= 0) return;
  if (random.uniform() >= options.probability) return;
  bool cut = options.cutmix_alpha > 0;
  if (cut && options.mixup_alpha > 0) cut = random.uniform() < options.switch_probability;
  const double alpha = cut ? options.cutmix_alpha : options.mixup_alpha;
  double lambda = random.beta(alpha, alpha);
  Rectangle box{};
  if (cut) {
    box = cut_box(lambda, height, width, random);
    // The targets follow the box as it was cut, not as it was drawn.
    const int64_t area = (box.bottom - box.top) * (box.right - box.left);
    lambda = 1 - static_cast<double>(area) / static_cast<double>(height * width);
  }
  const int64_t image_size = channels * height * width;
  for (int64_t i = 0; i < rows / 2; ++i) {
    const int64_t j = rows - 1 - i;
    float *a = images + i * image_size, *b = images + j * image_size;
    if (!cut) {
      mix_rows(a, b, image_size, static_cast<float>(lambda));
    } else {
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t y = box.top; y < box.bottom; ++y) {
          const int64_t row = (c * height + y) * width;
          std::swap_ranges(a + row + box.left, a + row + box.right, b + row + box.left);
        }
    }
    mix_rows(targets + i * classes, targets + j * classes, classes, static_cast<float>(lambda));
  }
}

}  // namespace shiftadd::data
