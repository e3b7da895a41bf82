// The kernels of attention whose products are integers, against the CPU's, bit for bit.
#include "tests/cuda/attention_test.h"

#include <cmath>

namespace shiftadd::test {
namespace {

using cuda::AttendArgs;
using cuda::AttentionKernel;
using cuda::AttentionLimits;

constexpr Codes kCodes[] = {Codes::kNone, Codes::kSign, Codes::kBipolar2};

const Numbers kTemperature = {0.8F, 1.3F, 0.0F};

TEST_CASE("cuda: int8_attention has the CPU's bits") {
  for (const AttentionSizes& size : attention_sizes({{2, 100, 49, 32, 32}, {1, 20, 1024, 64, 128}}))
    for (std::size_t i = 0; i < std::size(kCodes); ++i) {
      if (!size.has(i, std::size(kCodes))) continue;
      const Codes codes = kCodes[i];
      const AttentionRows rows(size.batch(), size.heads, size.queries, size.keys, size.code_dim,
                               size.head_dim);
      const double scale = score_scale(0, size.code_dim);
      const bool tempered = codes == Codes::kBipolar2;
      INFO(size.name(), ", codes ", static_cast<int>(codes));
      Numbers expected(rows.outputs());
      kernels<float>().int8_attention({rows.shape,
                                       {.codes = codes,
                                        .scale = scale,
                                        .temperature = tempered ? kTemperature.data() : nullptr},
                                       rows.q(),
                                       rows.k(),
                                       rows.v(),
                                       expected.data()});
      AttendArgs args;
      args.codes = codes;
      args.value = ValueFormat::kInt8;
      args.factor = cuda::score_factor(codes, scale);
      check_bits(expected, size, [&](const AttentionLimits& limits) {
        return rows.run(AttentionKernel::kInt8, args, limits,
                        tempered ? std::span<const float>(kTemperature) : std::span<const float>());
      });
    }
}

TEST_CASE("cuda: linear_attention has the bits of dot_attention") {
  for (const AttentionSizes& size : attention_sizes()) {
    const std::vector<Filter> all = filters(size.heads, size.keys);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!size.has(i, all.size())) continue;
      const Filter& filter = all[i];
      const AttentionRows rows(size.batch(), size.heads, size.queries, size.keys, size.code_dim,
                               size.head_dim);
      INFO(size.name(), ", a filter of ", filter.shape.kernel_h, " x ", filter.shape.kernel_w);
      Numbers expected(rows.outputs());
      LinearAngularArgs<float> linear{};
      linear.shape = rows.shape;
      linear.codes = Codes::kSign;
      linear.value = ValueFormat::kInt8;
      linear.local = filter.shape;
      linear.q = rows.q(), linear.k = rows.k(), linear.v = rows.v();
      linear.local_weight = filter.weight.empty() ? nullptr : filter.weight.data();
      linear.out = expected.data();
      kernels<float>().dot_attention(linear);
      AttendArgs args;
      args.codes = Codes::kSign;
      args.value = ValueFormat::kInt8;
      args.factor = cuda::angular_factor(Codes::kSign, size.code_dim);
      args.local = filter.shape;
      check_bits(expected, size, [&](const AttentionLimits& limits) {
        return rows.run(AttentionKernel::kLinear, args, limits, {}, filter.weight);
      });
    }
  }
}

struct WindowSizes {
  PatchGrid grid;
  AttentionSizes size;
};

// Those of attention_sizes() as a grid that is about as wide as high, behind what is left over.
std::vector<WindowSizes> window_sizes() {
  std::vector<WindowSizes> all = {{{1, 7, 2}, {1, 9, 9, 48, 64}},
                                  {{2, 2, 23}, {2, 27, 27, 80, 128}},
                                  {{4, 8, 1}, {3, 33, 33, 64, 64}},
                                  {{24, 24, 1}, {1, 20, 577, 128, 128}},  // on every device
                                  {{32, 32, 0}, {1, 70, 1024, 64, 64}}};
  for (const AttentionSizes& size : attention_sizes()) {
    const auto height = static_cast<int64_t>(std::sqrt(static_cast<double>(size.keys)));
    const int64_t width = size.keys / height;
    all.push_back({{height, width, size.keys - height * width}, size});
  }
  return all;
}

TEST_CASE("cuda: window_attention has the bits of dot_window_attention") {
  for (const auto& [grid, size] : window_sizes())
    for (const bool tempered : {false, true}) {
      if (!size.has(tempered, 2)) continue;
      REQUIRE(grid.tokens() == size.keys);
      const AttentionRows rows(size.batch(), size.heads, size.queries, size.keys, size.code_dim,
                               size.head_dim);
      const double scale = score_scale(0, size.code_dim);
      INFO(size.name(), ", temperature ", tempered);
      Numbers expected(rows.outputs());
      kernels<float>().dot_window_attention(
          {rows.shape,
           {.codes = Codes::kBipolar2,
            .scale = scale,
            .temperature = tempered ? kTemperature.data() : nullptr},
           ValueFormat::kInt8,
           grid,
           rows.q(),
           rows.k(),
           rows.v(),
           expected.data()});
      AttendArgs args;
      args.codes = Codes::kBipolar2;
      args.value = ValueFormat::kInt8;
      args.factor = cuda::score_factor(Codes::kBipolar2, scale);
      args.grid = grid;
      check_bits(expected, size, [&](const AttentionLimits& limits) {
        return rows.run(AttentionKernel::kWindow, args, limits,
                        tempered ? std::span<const float>(kTemperature) : std::span<const float>());
      });
    }
}

}  // namespace
}  // namespace shiftadd::test
