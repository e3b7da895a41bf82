// Weights of one network made to fit another number of classes or another image size.
#include <algorithm>
#include <array>
#include <cmath>

#include "layers/linear.h"
#include "layers/model.h"

namespace shiftadd::layers {
namespace {

constexpr uint64_t kHeadStream = 0x4ead;

// The cubic convolution kernel (Keys 1981) with a = -0.75, as PyTorch's interpolate: weights of the
// four neighbours of a point at fraction t after the second.
std::array<double, 4> cubic_weights(double t) {
  constexpr double kA = -0.75;
  const auto near = [](double x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };  // |x| <= 1
  const auto far = [](double x) {
    return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA;
  };  // 1 < |x| < 2
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

struct Tap {
  std::array<int64_t, 4> index;
  std::array<double, 4> weight;
};

// align_corners = false: pixel centres at half integers; neighbours beyond the border repeat it.
std::vector<Tap> taps(int64_t in, int64_t out) {
  std::vector<Tap> result(out);
  for (int64_t i = 0; i < out; ++i) {
    const double source = (i + 0.5) * static_cast<double>(in) / out - 0.5,
                 base = std::floor(source);
    result[i].weight = cubic_weights(source - base);
    for (int64_t j = 0; j < 4; ++j)
      result[i].index[j] = std::clamp<int64_t>(static_cast<int64_t>(base) - 1 + j, 0, in - 1);
  }
  return result;
}

// positions (1, 1 + from^2, C) -> (1, 1 + to^2, C); the class token's row is kept.
Tensor interpolate_positions(const Tensor& positions, int64_t from, int64_t to) {
  const int64_t channels = positions.dim(2);
  const Tensor result({1, 1 + to * to, channels});
  const float* in = positions.data<float>();
  float* out = result.data<float>();
  std::copy_n(in, channels, out);
  const std::vector<Tap> along = taps(from, to);
  for (int64_t y = 0; y < to; ++y) {
    for (int64_t x = 0; x < to; ++x) {
      for (int64_t c = 0; c < channels; ++c) {
        double sum = 0;
        for (int i = 0; i < 4; ++i) {
          double row = 0;
          for (int j = 0; j < 4; ++j)
            row += along[x].weight[j] *
                   in[(1 + along[y].index[i] * from + along[x].index[j]) * channels + c];
          sum += along[y].weight[i] * row;
        }
        out[(1 + y * to + x) * channels + c] = static_cast<float>(sum);
      }
    }
  }
  return result;
}

// The tensor of the network's one parameter of this role and rank.
Tensor& weight_of(const ModelSpec& spec, NamedTensors& weights, Role role, std::size_t rank) {
  for (const Parameter& parameter : parameters_of(spec)) {
    if (parameter.role != role || parameter.shape.size() != rank) continue;
    for (auto& [name, tensor] : weights) {
      if (name != parameter.name) continue;
      if (tensor.shape() != parameter.shape)
        throw user_error("[adapt] ", name, " is ", tensor.shape(), ": expected ", parameter.shape);
      return tensor;
    }
    throw user_error("[adapt] the weights hold no ", parameter.name);
  }
  throw failure("[adapt] the network '", spec.name, "' has no such parameter");
}

}  // namespace

void select_head(const ModelSpec& from, const std::vector<int64_t>& rows, uint64_t seed,
                 NamedTensors& weights) {
  const auto count = static_cast<int64_t>(rows.size()), width = from.width;
  Tensor& weight = weight_of(from, weights, Role::kHead, 2);
  Tensor& bias = weight_of(from, weights, Role::kHead, 1);
  const Tensor old_weight = weight.to(DType::kF32), old_bias = bias.to(DType::kF32);
  Random random(seed, kHeadStream);
  weight = normal_weights({count, width}, random);
  bias = Tensor::zeros({count});
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = rows[static_cast<std::size_t>(i)];
    if (row < 0) continue;
    std::copy_n(old_weight.data<float>() + row * width, width, weight.data<float>() + i * width);
    bias.data<float>()[i] = old_bias.data<float>()[row];
  }
}

std::vector<std::string> adapt_weights(const ModelSpec& from, const ModelSpec& to, uint64_t seed,
                                       NamedTensors& weights) {
  validate(from);
  validate(to);
  ModelSpec same = to;  // what may differ, taken from `from`
  same.name = from.name;
  same.classes = from.classes;
  same.image_size = from.image_size;
  if (!(same == from))
    throw user_error("[adapt] the weights are of another network: ", spec_difference(from, same),
                     "; only the number of classes and the image size may differ");

  std::vector<std::string> changes;
  if (from.grid() != to.grid()) {
    Tensor& positions = weight_of(from, weights, Role::kPositions, 3);
    positions = interpolate_positions(positions.to(DType::kF32), from.grid(), to.grid());
    changes.push_back(concat("pos_embed interpolated from ", from.grid(), " x ", from.grid(),
                             " to ", to.grid(), " x ", to.grid(), " patches"));
  }
  if (from.classes != to.classes) {
    select_head(from, std::vector<int64_t>(static_cast<std::size_t>(to.classes), -1), seed,
                weights);
    changes.push_back(
        concat("head replaced: ", from.classes, " classes before, ", to.classes, " now"));
  }
  return changes;
}

}  // namespace shiftadd::layers
