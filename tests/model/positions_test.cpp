// resize_positions: closed forms, values of PyTorch, grids of any shape.
#include "model/positions.h"

#include "tests/support/support.h"

namespace shiftadd {
namespace {

using enum PositionResize;

// Positions of one channel: `prefix` rows of -5, then value(y, x).
template <class Value>
Tensor positions_of(int64_t prefix, Grid grid, Value value) {
  Tensor result({1, prefix + grid.count(), 1});
  float* out = result.data<float>();
  for (int64_t i = 0; i < prefix; ++i) *out++ = -5;
  for (int64_t i = 0; i < grid.count(); ++i)
    *out++ = static_cast<float>(value(i / grid.width, i % grid.width));
  return result;
}

// A row of five patches, or a column of them, made to fit `to` others.
std::vector<float> line(int64_t to, PositionResize how, bool down = false) {
  const double numbers[] = {1, -2, 3, 0.5, -1};
  const auto value = [&](int64_t y, int64_t x) { return numbers[y + x]; };
  const Grid from = down ? Grid{5, 1} : Grid{1, 5}, wanted = down ? Grid{to, 1} : Grid{1, to};
  const Tensor result = resize_positions(positions_of(2, from, value), 2, from, wanted, how);
  REQUIRE(result.shape() == Shape{1, 2 + to, 1});
  const std::span<const float> all = result.span<float>();
  CHECK(all[0] == -5);
  CHECK(all[1] == -5);
  return {all.begin() + 2, all.end()};
}

TEST_CASE("positions: values of PyTorch's interpolate, along each axis") {
  struct Case {
    PositionResize how;
    std::vector<double> expected;
  };
  const Case cases[] = {
      {kPlain, {-0.22222222, 3, -0.66666667}},
      {kAntialias, {-0.32307692, 1.37441860, -0.3}},
      {kAntialias,
       {1.21586716, -0.43612285, -1.89349365, 1.72283936, 2.73907471, 0.64251709, -0.53367964,
        -1.10793358}},
      {kOffset, {-0.10189843, 2.78885454, -0.52275173}},
      {kOffset, {1.02162842, -2.03581697, 2.88544011, 0.72052522, -0.90580157}},
      {kOffset,
       {1.24160589, -1.20481777, -1.03893509, 2.92217972, 1.72218691, -0.31253017, -1.07416906}},
  };
  for (const Case& each : cases)
    for (const bool down : {false, true}) {
      CAPTURE(name_of(each.how));
      CAPTURE(each.expected.size());
      const std::vector<float> got =
          line(static_cast<int64_t>(each.expected.size()), each.how, down);
      for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(got[i] == doctest::Approx(each.expected[i]).epsilon(1e-6));
    }
}

TEST_CASE("positions: constants stay constant for grids of any shape") {
  const std::pair<Grid, Grid> sizes[] = {{{4, 4}, {7, 7}}, {{5, 3}, {2, 7}}, {{1, 1}, {3, 2}},
                                         {{3, 2}, {1, 1}}, {{2, 9}, {9, 2}}, {{37, 37}, {16, 9}}};
  for (const auto& [from, to] : sizes)
    for (const PositionResize how : {kPlain, kAntialias, kOffset}) {
      const auto quarter = [](int64_t, int64_t) { return 0.25; };
      const Tensor result = resize_positions(positions_of(1, from, quarter), 1, from, to, how);
      REQUIRE(result.shape() == Shape{1, 1 + to.count(), 1});
      CHECK(result.span<float>()[0] == -5);
      for (const float value : result.span<float>().subspan(1))
        CHECK(value == doctest::Approx(0.25).epsilon(1e-6));
    }
}

TEST_CASE("positions: an equal grid changes nothing, but by the offset") {
  const Grid grid{3, 4};
  const Tensor before = positions_of(0, grid, [](int64_t y, int64_t x) { return y * y - 2.5 * x; });
  for (const PositionResize how : {kPlain, kAntialias}) {
    const Tensor after = resize_positions(before, 0, grid, grid, how);
    for (int64_t i = 0; i < grid.count(); ++i)
      CHECK(after.span<float>()[i] == doctest::Approx(before.span<float>()[i]).epsilon(1e-6));
  }
  const Tensor moved = resize_positions(before, 0, grid, grid, kOffset);
  CHECK(std::abs(moved.span<float>()[5] - before.span<float>()[5]) > 0.001F);
}

TEST_CASE("positions: a ramp stays one inside, with a slope of its own on each axis") {
  const Grid from{12, 16}, to{6, 8};  // away from the border the filter sees the ramp alone
  const auto ramp = [](int64_t y, int64_t x) { return 10.0 * y + x; };
  const Tensor result = resize_positions(positions_of(0, from, ramp), 0, from, to, kAntialias);
  for (int64_t y = 2; y < 4; ++y)
    for (int64_t x = 2; x < 6; ++x)
      CHECK(result.span<float>()[y * to.width + x] ==
            doctest::Approx(10 * (2 * y + 0.5) + 2 * x + 0.5).epsilon(1e-6));
}

TEST_CASE("positions: any float type, and no other shape") {
  const Grid grid{2, 2};
  const Tensor narrow = positions_of(1, grid, [](int64_t y, int64_t x) { return y + x; });
  CHECK(resize_positions(narrow.to(DType::kF64), 1, grid, {3, 3}, kPlain).dtype() == DType::kF32);
  CHECK_THROWS_WITH_AS(resize_positions(narrow, 0, grid, {3, 3}, kPlain),
                       doctest::Contains("(1, 5, 1): expected (1, 4, C)"), Error);
}

}  // namespace
}  // namespace shiftadd
