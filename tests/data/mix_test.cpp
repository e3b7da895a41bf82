// mixup and cutmix: targets follow the pixels.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/augment.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::data;

namespace {

constexpr int64_t kRows = 5, kChannels = 3, kHeight = 17, kWidth = 12, kClasses = 5;
constexpr int64_t kImage = kChannels * kHeight * kWidth;

// Image i is filled with i and has class i: pixel means and targets can be compared.
struct MixedBatch {
  std::vector<float> images, targets;
};

MixedBatch mixed(const MixOptions& options, uint64_t stream) {
  MixedBatch batch;
  for (int64_t i = 0; i < kRows; ++i) {
    batch.images.insert(batch.images.end(), kImage, static_cast<float>(i));
    for (int64_t c = 0; c < kClasses; ++c) batch.targets.push_back(c == i);
  }
  Random random(9, stream);
  mix_batch(options, random, kRows, kChannels, kHeight, kWidth, batch.images.data(), kClasses,
            batch.targets.data());
  return batch;
}

MixOptions options_of(double mixup, double cutmix, double probability = 1) {
  MixOptions options;
  options.mixup_alpha = mixup;
  options.cutmix_alpha = cutmix;
  options.probability = probability;
  return options;
}

// The share of each row's own class, checked against targets' sum and the image's mean.
double check_rows(const MixedBatch& batch) {
  const double lambda = batch.targets[0];
  for (int64_t i = 0; i < kRows; ++i) {
    const float* target = &batch.targets[i * kClasses];
    const float* image = &batch.images[i * kImage];
    const int64_t other = kRows - 1 - i;
    CHECK(std::accumulate(target, target + kClasses, 0.0) == doctest::Approx(1));
    if (other != i) CHECK(target[i] == doctest::Approx(lambda));
    const double mean = std::accumulate(image, image + kImage, 0.0) / kImage;
    const double expected = target[i] * static_cast<double>(i) +
                            (other != i ? target[other] * static_cast<double>(other) : 0);
    CHECK(mean == doctest::Approx(expected).epsilon(1e-5));
  }
  return lambda;
}

}  // namespace

TEST_CASE("mixup blends whole images with its mirror in the batch") {
  double sum = 0, squares = 0;
  constexpr int kRounds = 400;
  for (uint64_t stream = 0; stream < kRounds; ++stream) {
    const MixedBatch batch = mixed(options_of(0.8, 0), stream);
    const double lambda = check_rows(batch);
    CHECK(std::count(batch.images.begin(), batch.images.begin() + kImage, batch.images[0]) ==
          kImage);
    sum += lambda;
    squares += lambda * lambda;
  }
  // Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)) = 0.0962.
  const double mean = sum / kRounds, variance = squares / kRounds - mean * mean;
  CHECK(std::abs(mean - 0.5) < 0.06);
  CHECK(std::abs(variance - 0.0962) < 0.02);
}

TEST_CASE("cutmix pastes one rectangle and corrects the share to its area") {
  int partial = 0;
  for (uint64_t stream = 0; stream < 200; ++stream) {
    const MixedBatch batch = mixed(options_of(0, 1), stream);
    const double lambda = check_rows(batch);
    // Only whole pixels of either image, the same rectangle in each channel.
    int64_t pasted = 0;
    for (int64_t i = 0; i < kHeight * kWidth; ++i) {
      const float v = batch.images[i];
      REQUIRE((v == 0 || v == kRows - 1));
      REQUIRE(batch.images[2 * kHeight * kWidth + i] == v);
      pasted += v != 0;
    }
    CHECK(lambda == doctest::Approx(1 - static_cast<double>(pasted) / (kHeight * kWidth)));
    partial += pasted > 0;
  }
  CHECK(partial > 150);
}

TEST_CASE("mix probability and switch") {
  const MixedBatch untouched = mixed(options_of(0.8, 1, 0), 0);
  CHECK(mixed(options_of(0, 0), 0).images == untouched.images);
  CHECK(untouched.targets[0] == 1);
  int blended = 0, cut = 0;
  for (uint64_t stream = 0; stream < 300; ++stream) {
    const MixedBatch batch = mixed(options_of(0.8, 1, 0.5), stream);
    check_rows(batch);
    CHECK(batch.images == mixed(options_of(0.8, 1, 0.5), stream).images);
    if (batch.images == untouched.images) continue;
    const bool whole = std::all_of(batch.images.begin(), batch.images.begin() + kImage,
                                   [&](float v) { return v == batch.images[0]; });
    (whole ? blended : cut)++;
  }
  CHECK(blended > 45);
  CHECK(cut > 40);
  CHECK(blended + cut < 190);
}

TEST_CASE("mix options out of range are named") {
  MixOptions options;
  CHECK_NOTHROW(validate(options, "data.mix"));
  options.cutmix_alpha = -1;
  CHECK_THROWS_WITH_AS(validate(options, "data.mix"), doctest::Contains("data.mix.cutmix_alpha"),
                       Error);
  options.cutmix_alpha = 0;
  options.switch_probability = 2;
  CHECK_THROWS_WITH_AS(validate(options, "data.mix"), doctest::Contains("switch_probability"),
                       Error);
}
