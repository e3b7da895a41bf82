// Draws one image of the synthetic set.
#include "data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/random.h"
#include "data/synthetic_figures.h"

namespace shiftadd::data {
namespace {

constexpr uint64_t kDrawStream = 0x64726177, kNoiseStream = 0x6e6f697365;  // "draw", "noise"
constexpr int kGrid = 4;  // samples per pixel and axis: 17 levels at an edge

using Color = std::array<double, 3>;  // 0..255

Color random_color(Random& random) {
  return {random.uniform(15, 240), random.uniform(15, 240), random.uniform(15, 240)};
}
double luminance(const Color& c) { return 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]; }

/// Two colours that differ visibly, and in brightness. Both have the same distribution, so that
/// neither says which is the figure.
std::pair<Color, Color> contrasting_colors(Random& random) {
  constexpr double kContrast = 70;
  for (;;) {
    const Color a = random_color(random), b = random_color(random);
    if (std::abs(luminance(a) - luminance(b)) >= kContrast) return {a, b};
  }
}

/// A short thick line in a colour of its own.
struct Scratch {
  double x, y, along_x, along_y, half_width;
  Color color;
  explicit Scratch(Random& random) : color(random_color(random)) {
    x = random.uniform();
    y = random.uniform();
    const double angle = random.uniform(0, 2 * std::numbers::pi),
                 length = random.uniform(0.06, 0.2);
    along_x = length * std::cos(angle);
    along_y = length * std::sin(angle);
    half_width = random.uniform(0.012, 0.03);
  }
  bool covers(double px, double py) const {
    const double length2 = along_x * along_x + along_y * along_y;
    const double t = std::clamp(((px - x) * along_x + (py - y) * along_y) / length2, 0.0, 1.0);
    return std::hypot(px - x - t * along_x, py - y - t * along_y) < half_width;
  }
};

}  // namespace

Image synthetic_image(int64_t size, int64_t label, int64_t index, uint64_t seed) {
  const auto classes = static_cast<int64_t>(synthetic_classes().size());
  if (size < kMinSyntheticSize || size > kMaxSyntheticSize)
    throw user_error("[synthetic] size is ", size, ": expected ", kMinSyntheticSize, " to ",
                     kMaxSyntheticSize);
  if (label < 0 || label >= classes)
    throw user_error("[synthetic] label is ", label, ": expected 0 to ", classes - 1);
  if (index < 0) throw user_error("[synthetic] index is ", index, ": expected 0 or more");

  Random random(seed, stream_of(label, index, kDrawStream));
  const Figure figure(label, random);
  const auto [inside, outside] = contrasting_colors(random);
  // Light falls unevenly: up to 25 levels brighter on one side, the same for figure and ground.
  const double light_x = random.uniform(-25, 25), light_y = random.uniform(-25, 25);
  std::vector<Scratch> scratches;
  for (int64_t count = random.below(4); count > 0; --count) scratches.emplace_back(random);
  const std::size_t behind = scratches.size() / 2;  // these lie under the figure
  const double noise = random.uniform(2, 10);

  // clang 14 cannot capture structured bindings without an initialiser
  const auto color_at = [&, &inside = inside, &outside = outside](double x, double y) {
    const Color* color = &outside;
    for (std::size_t i = 0; i < behind; ++i)
      if (scratches[i].covers(x, y)) color = &scratches[i].color;
    if (figure.covers(x, y)) color = &inside;
    for (std::size_t i = behind; i < scratches.size(); ++i)
      if (scratches[i].covers(x, y)) color = &scratches[i].color;
    return color;
  };
  const double step = 1.0 / static_cast<double>(size * kGrid);
  const auto sample = [&](int64_t px, int64_t py, int sub) {
    return color_at((static_cast<double>(px * kGrid + sub % kGrid) + 0.5) * step,
                    (static_cast<double>(py * kGrid + sub / kGrid) + 0.5) * step);
  };
  // Most pixels have one colour: where five of the samples agree the other eleven are not asked.
  const auto pixel_color = [&](int64_t px, int64_t py) {
    const Color* first = sample(px, py, 0);
    bool plain = true;
    for (int sub :
         {kGrid - 1, kGrid * (kGrid / 2) + kGrid / 2, kGrid * (kGrid - 1), kGrid * kGrid - 1})
      plain = plain && sample(px, py, sub) == first;
    if (plain) return *first;
    Color sum{};
    for (int sub = 0; sub < kGrid * kGrid; ++sub) {
      const Color& color = *sample(px, py, sub);
      for (int c = 0; c < 3; ++c) sum[c] += color[c] / (kGrid * kGrid);
    }
    return sum;
  };

  const RandomStream noise_stream(seed, stream_of(label, index, kNoiseStream));
  Image image{size, size, std::vector<uint8_t>(size * size * 3)};
  for (int64_t py = 0; py < size; ++py)
    for (int64_t px = 0; px < size; ++px) {
      const Color color = pixel_color(px, py);
      const double light =
          light_x * ((static_cast<double>(px) + 0.5) / static_cast<double>(size) - 0.5) +
          light_y * ((static_cast<double>(py) + 0.5) / static_cast<double>(size) - 0.5);
      for (int c = 0; c < 3; ++c) {
        const int64_t at = (py * size + px) * 3 + c;
        const double value = color[c] + light + noise * noise_stream.normal(at);
        image.pixels[at] = static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L));
      }
    }
  return image;
}

}  // namespace shiftadd::data
