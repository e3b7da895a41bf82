// Bicubic interpolation of positions, one axis after the other.
#include "model/positions.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "model/network.h"

namespace shiftadd {
namespace {

struct Tap {
  int64_t index;
  double weight;
};
using Taps = std::vector<Tap>;  // of one place along an axis

// The cubic convolution kernel (Keys 1981): 0 from |x| = 2 on.
double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

// The four neighbours of each place; those beyond the border repeat it. Centres lie at half
// integers, and one step along the new axis is `step` along the old.
std::vector<Taps> neighbours(int64_t from, int64_t to, double step) {
  constexpr double kA = -0.75;
  std::vector<Taps> places;
  for (int64_t i = 0; i < to; ++i) {
    const double source = (static_cast<double>(i) + 0.5) * step - 0.5, base = std::floor(source);
    Taps& taps = places.emplace_back();
    for (int64_t j = -1; j <= 2; ++j)
      taps.push_back({std::clamp<int64_t>(static_cast<int64_t>(base) + j, 0, from - 1),
                      cubic(source - base - static_cast<double>(j), kA)});
  }
  return places;
}

// All places under the kernel, which is as wide as what one new place stands for. Beyond the border
// is nothing: the weights of what is left sum to 1.
std::vector<Taps> filtered(int64_t from, int64_t to) {
  constexpr double kA = -0.5, kReach = 2;
  const double step = static_cast<double>(from) / static_cast<double>(to),
               stretch = std::max(step, 1.0), reach = kReach * stretch;
  std::vector<Taps> places;
  for (int64_t i = 0; i < to; ++i) {
    const double centre = step * (static_cast<double>(i) + 0.5);
    const auto first = std::max<int64_t>(static_cast<int64_t>(centre - reach + 0.5), 0),
               end = std::min(static_cast<int64_t>(centre + reach + 0.5), from);
    Taps& taps = places.emplace_back();
    double sum = 0;
    for (int64_t j = first; j < end; ++j) {
      taps.push_back({j, cubic((static_cast<double>(j) + 0.5 - centre) / stretch, kA)});
      sum += taps.back().weight;
    }
    for (Tap& tap : taps) tap.weight /= sum;
  }
  return places;
}

std::vector<Taps> taps_of(int64_t from, int64_t to, PositionResize how) {
  const auto old_side = static_cast<double>(from), new_side = static_cast<double>(to);
  switch (how) {
    case PositionResize::kAntialias:
      return filtered(from, to);
    case PositionResize::kOffset:
      return neighbours(from, to, old_side / (new_side + 0.1));
    case PositionResize::kPlain:
      break;
  }
  return neighbours(from, to, old_side / new_side);
}

// `in` is (outer, old places, inner) numbers: the middle axis becomes as long as `places`.
std::vector<double> along_axis(const std::vector<double>& in, int64_t outer, int64_t old_places,
                               int64_t inner, const std::vector<Taps>& places) {
  std::vector<double> out(static_cast<std::size_t>(outer * inner) * places.size());
  double* to = out.data();
  for (int64_t i = 0; i < outer; ++i) {
    for (const Taps& taps : places) {
      for (const Tap& tap : taps) {
        const double* from = in.data() + (i * old_places + tap.index) * inner;
        for (int64_t c = 0; c < inner; ++c) to[c] += tap.weight * from[c];
      }
      to += inner;
    }
  }
  return out;
}

}  // namespace

Tensor resize_positions(const Tensor& positions, int64_t prefix, Grid from, Grid to,
                        PositionResize how) {
  const Tensor floats = positions.to(DType::kF32);
  const int64_t rows = prefix + from.count();
  if (floats.rank() != 3 || floats.dim(0) != 1 || floats.dim(1) != rows)
    throw failure("[positions] ", floats.shape(), ": expected (1, ", rows, ", C)");
  const int64_t channels = floats.dim(2);
  const Tensor result({1, prefix + to.count(), channels});
  const std::span<const float> in = floats.span<float>();
  const auto kept = in.subspan(0, static_cast<std::size_t>(prefix * channels));
  float* out = std::copy(kept.begin(), kept.end(), result.data<float>());
  std::vector<double> grid(in.begin() + prefix * channels, in.end());
  grid = along_axis(grid, from.height, from.width, channels, taps_of(from.width, to.width, how));
  grid =
      along_axis(grid, 1, from.height, to.width * channels, taps_of(from.height, to.height, how));
  for (const double value : grid) *out++ = static_cast<float>(value);
  return result;
}

void resize_positions(const ModelSpec& from, const ModelSpec& to, NamedTensors& weights) {
  if (from.grid() == to.grid()) return;
  const Network network = network_of(from);
  for (const LevelSpec& level : network.levels) {
    const auto found = std::find_if(weights.begin(), weights.end(), [&](const auto& each) {
      return each.first == level.positions;
    });
    const Shape expected = {1, level.position_rows(), level.width()};
    if (found == weights.end() || found->second.shape() != expected)
      throw user_error(
          level.positions, " is ",
          found == weights.end() ? std::string("missing") : concat(found->second.shape()),
          ": expected ", expected);
    found->second = resize_positions(found->second, level.positioned_prefix(), from.grid(),
                                     to.grid(), to.position_resize);
  }
}

}  // namespace shiftadd
