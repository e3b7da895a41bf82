// adapt_weights: new heads, interpolated positions, errors.
#include <cmath>

#include "layers/model.h"
#include "tests/support/support.h"

namespace shiftadd::layers {
namespace {

using Weights = NamedTensors;

ModelSpec spec_of(int64_t grid, int64_t classes = 7) {
  ModelSpec spec = named_spec("vit_micro");
  spec.image_size = grid * spec.patch_size;
  spec.classes = classes;
  return spec;
}

Tensor& named(Weights& weights, const std::string& name) {
  for (auto& [each, tensor] : weights) {
    if (each == name) return tensor;
  }
  throw failure("no ", name);
}

// Positions whose row 0 is -5 and whose patch (y, x) is value(y, x, channel).
template <class Value>
Weights weights_with(int64_t grid, Value value) {
  const ModelSpec spec = spec_of(grid);
  Weights weights = Model(spec, {}, 1).state_dict();
  float* p = named(weights, "pos_embed").data<float>();
  for (int64_t c = 0; c < spec.width; ++c) {
    p[c] = -5;
    for (int64_t i = 0; i < grid * grid; ++i)
      p[(1 + i) * spec.width + c] = static_cast<float>(value(i / grid, i % grid, c));
  }
  return weights;
}

float position(Weights& weights, int64_t grid, int64_t y, int64_t x, int64_t c) {
  return named(weights, "pos_embed").data<float>()[(1 + y * grid + x) * 48 + c];
}

TEST_CASE("adapt: the result loads into the other network") {
  Weights weights = Model(spec_of(4), {}, 1).state_dict();
  const auto changes = adapt_weights(spec_of(4), spec_of(7, 3), 1, weights);
  REQUIRE(changes.size() == 2);
  CHECK(changes[0] == "positions interpolated (plain) from 4 x 4 to 7 x 7 patches");
  CHECK(changes[1].find("7 classes before, 3 now") != std::string::npos);
  Model model(spec_of(7, 3), {}, 2);
  model.load_state_dict(weights);
  for (float x : named(weights, "head.bias").span<float>()) CHECK(x == 0);
  double squares = 0;
  for (float x : named(weights, "head.weight").span<float>()) squares += double{x} * x;
  CHECK(std::sqrt(squares / (3 * 48)) == doctest::Approx(0.02).epsilon(0.25));
}

TEST_CASE("adapt: a head of kept, moved and new rows") {
  Weights weights = Model(spec_of(4), {}, 1).state_dict();
  const Tensor before = named(weights, "head.weight");
  for (int i = 0; i < 7; ++i) named(weights, "head.bias").data<float>()[i] = 1.0F + i;
  select_head(spec_of(4), {6, -1, 0, 0, -1}, 1, weights);
  const Tensor &weight = named(weights, "head.weight"), &bias = named(weights, "head.bias");
  REQUIRE(weight.shape() == Shape{5, 48});
  const std::vector<float> expected = {7, 0, 1, 1, 0};
  for (int i = 0; i < 5; ++i) CHECK(bias.data<float>()[i] == expected[i]);
  for (int j = 0; j < 48; ++j) {
    CHECK(weight.data<float>()[j] == before.data<float>()[6 * 48 + j]);
    CHECK(weight.data<float>()[2 * 48 + j] == before.data<float>()[j]);
    CHECK(std::abs(weight.data<float>()[48 + j]) < 0.2F);
  }
  CHECK_THROWS_WITH_AS(select_head(spec_of(4, 9), {0}, 1, weights),
                       doctest::Contains("head.weight is (5, 48): expected (9, 48)"), Error);
}

TEST_CASE("adapt: positions follow the network's own way, and the weights' way may differ") {
  const auto step = [](int64_t, int64_t x, int64_t) { return x >= 2 ? 1 : 0; };
  Weights plain = weights_with(4, step), filtered = weights_with(4, step);
  ModelSpec to = spec_of(2);
  adapt_weights(spec_of(4), to, 1, plain);
  to.position_resize = PositionResize::kAntialias;
  CHECK(adapt_weights(spec_of(4), to, 1, filtered).front() ==
        "positions interpolated (antialias) from 4 x 4 to 2 x 2 patches");
  // Halving, at 0.5 of the first two patches: plain takes four neighbours there, of which the
  // border's stands for one beyond it; the widened filter weighs 0.8671875, 0.8671875, 0.2265625
  // and -0.0703125, whose sum becomes 1.
  CHECK(position(plain, 2, 0, 0, 0) == doctest::Approx(-0.09375).epsilon(1e-6));
  CHECK(position(filtered, 2, 0, 0, 0) == doctest::Approx(0.15625 / 1.890625).epsilon(1e-6));
}

TEST_CASE("adapt: a head where there was none, and none where there was one") {
  const ModelSpec with = spec_of(4), without = spec_of(4, 0);
  Weights weights = Model(with, {}, 1).state_dict();
  const std::size_t tensors = weights.size();
  CHECK(adapt_weights(with, without, 1, weights).front() == "head of 7 classes left out");
  REQUIRE(weights.size() == tensors - 2);
  CHECK(adapt_weights(without, with, 1, weights).front() == "head added: 7 classes");
  REQUIRE(weights.size() == tensors);
  Model(with, {}, 2).load_state_dict(weights);
  for (float x : named(weights, "head.bias").span<float>()) CHECK(x == 0);
}

TEST_CASE("adapt: nothing to do") {
  Weights weights = Model(spec_of(4), {}, 1).state_dict();
  ModelSpec renamed = spec_of(4);
  renamed.name = "another name";
  CHECK(adapt_weights(spec_of(4), renamed, 1, weights).empty());
}

TEST_CASE("adapt: constants stay constant, the class token's row is kept") {
  for (const auto& [from, to] : {std::pair<int64_t, int64_t>{4, 7}, {5, 3}, {1, 3}, {3, 1}}) {
    Weights weights = weights_with(from, [](int64_t, int64_t, int64_t c) { return 0.25 * c; });
    adapt_weights(spec_of(from), spec_of(to), 1, weights);
    for (int64_t i = 0; i < to * to; ++i)
      CHECK(position(weights, to, i / to, i % to, 3) == doctest::Approx(0.75));
    CHECK(named(weights, "pos_embed").data<float>()[17] == -5);
  }
}

TEST_CASE("adapt: doubling a step, computed by hand") {
  // Rows 0 0 1 1 become, at centres -0.25, 0.25, ... with a = -0.75: the weights at t = 0.75 are
  // (-0.03515625, 0.26171875, 0.87890625, -0.10546875), mirrored at t = 0.25; borders repeat.
  Weights weights = weights_with(4, [](int64_t, int64_t x, int64_t) { return x >= 2 ? 1 : 0; });
  adapt_weights(spec_of(4), spec_of(8), 1, weights);
  const double expected[8] = {0,         -0.03515625, -0.10546875, 0.2265625,
                              0.7734375, 1.10546875,  1.03515625,  1};
  for (int64_t y = 0; y < 8; ++y) {
    for (int64_t x = 0; x < 8; ++x)
      CHECK(position(weights, 8, y, x, 5) == doctest::Approx(expected[x]).epsilon(1e-6));
  }
}

TEST_CASE("adapt: x and y are not mixed up") {
  const auto step_in_x = [](int64_t, int64_t x, int64_t) { return x * x; };
  const auto step_in_y = [](int64_t y, int64_t, int64_t) { return y * y; };
  Weights across = weights_with(5, step_in_x), down = weights_with(5, step_in_y);
  adapt_weights(spec_of(5), spec_of(3), 1, across);
  adapt_weights(spec_of(5), spec_of(3), 1, down);
  for (int64_t y = 0; y < 3; ++y) {
    for (int64_t x = 0; x < 3; ++x)
      CHECK(position(across, 3, y, x, 0) == doctest::Approx(position(down, 3, x, y, 0)));
  }
  CHECK(position(across, 3, 0, 2, 0) > position(across, 3, 0, 0, 0) + 5);
}

TEST_CASE("adapt: errors name the keys that differ") {
  Weights weights = Model(spec_of(4), {}, 1).state_dict();
  const auto message = [&](const ModelSpec& to) {
    try {
      adapt_weights(spec_of(4), to, 1, weights);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  ModelSpec deeper = spec_of(4);
  deeper.depth = 3;
  deeper.heads = 4;
  CHECK(message(deeper).find("another network: depth 2 instead of 3, heads 3 instead of 4;") !=
        std::string::npos);
  weights.pop_back();
  CHECK(message(spec_of(4, 3)) == "[adapt] the weights hold no head.bias");
  named(weights, "pos_embed") = Tensor::zeros({1, 10, 48});
  CHECK(message(spec_of(5)) == "pos_embed is (1, 10, 48): expected (1, 17, 48)");
}

}  // namespace
}  // namespace shiftadd::layers
