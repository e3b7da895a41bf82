// The kernels of attention whose products are integers, against the CPU's, bit for bit.
#include "tests/cuda/attention_test.h"

namespace shiftadd::test {
namespace {

using cuda::AttendArgs;
using cuda::AttentionKernel;
using cuda::AttentionLimits;

struct Sizes {
  int64_t heads, queries, keys, code_dim, head_dim;
  bool thorough = false;  // in all orders
};
std::string name_of(const Sizes& s) {
  return concat(s.heads, " heads, ", s.queries, " x ", s.keys, " tokens, rows of ", s.code_dim,
                " and ", s.head_dim);
}

const Numbers kTemperature = {0.8F, 1.3F, 0.0F};

TEST_CASE("cuda: int8_attention has the CPU's bits") {
  const Sizes all[] = {
      {1, 1, 1, 32, 32, true}, {2, 31, 31, 16, 32, true}, {3, 33, 33, 64, 64, true},
      {2, 33, 33, 48, 64},     {1, 65, 65, 17, 5},        {2, 20, 65, 80, 128},
      {3, 1, 197, 64, 64},     {1, 197, 197, 64, 64},     {2, 100, 49, 32, 32},
      {1, 40, 257, 32, 32},    {1, 50, 577, 64, 64},      {1, 20, 1024, 64, 128}};
  for (const Sizes& size : all)
    for (const Codes codes : {Codes::kNone, Codes::kSign, Codes::kBipolar2}) {
      const AttentionRows rows(size.thorough ? 2 : 1, size.heads, size.queries, size.keys,
                               size.code_dim, size.head_dim);
      const double scale = score_scale(0, size.code_dim);
      const bool tempered = codes == Codes::kBipolar2;
      INFO(name_of(size), ", codes ", static_cast<int>(codes));
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
      check_bits(expected, size.thorough, [&](const AttentionLimits& limits, simt::Order order) {
        return rows.run(AttentionKernel::kInt8, args, limits, order,
                        tempered ? std::span<const float>(kTemperature) : std::span<const float>());
      });
    }
}

TEST_CASE("cuda: linear_attention has the bits of dot_attention") {
  const Sizes all[] = {{1, 1, 1, 32, 32, true},   {2, 31, 31, 16, 32, true},
                       {3, 33, 33, 64, 64, true}, {2, 33, 33, 48, 64},
                       {1, 65, 65, 17, 5},        {2, 20, 65, 80, 128},
                       {3, 1, 197, 64, 64},       {1, 197, 197, 64, 64},
                       {1, 40, 257, 32, 32},      {1, 300, 577, 64, 64}};
  for (const Sizes& size : all)
    for (const Filter& filter : filters(size.heads, size.keys)) {
      const AttentionRows rows(size.thorough ? 2 : 1, size.heads, size.queries, size.keys,
                               size.code_dim, size.head_dim);
      INFO(name_of(size), ", a filter of ", filter.shape.kernel_h, " x ", filter.shape.kernel_w);
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
      check_bits(expected, size.thorough, [&](const AttentionLimits& limits, simt::Order order) {
        return rows.run(AttentionKernel::kLinear, args, limits, order, {}, filter.weight);
      });
    }
}

struct WindowSizes {
  PatchGrid grid;
  int64_t heads, queries, code_dim, head_dim;
  bool thorough = false;
};

TEST_CASE("cuda: window_attention has the bits of dot_window_attention") {
  const WindowSizes all[] = {{{1, 1, 0}, 1, 1, 32, 32, true},  {{5, 6, 1}, 2, 31, 16, 32, true},
                             {{4, 8, 1}, 3, 33, 64, 64, true}, {{1, 7, 2}, 1, 9, 48, 64},
                             {{8, 8, 1}, 1, 65, 17, 5},        {{2, 2, 23}, 2, 27, 80, 128},
                             {{14, 14, 1}, 3, 1, 64, 64},      {{14, 14, 1}, 1, 197, 64, 64},
                             {{16, 16, 1}, 1, 40, 32, 32},     {{24, 24, 1}, 1, 70, 64, 64},
                             {{32, 32, 0}, 1, 70, 64, 64}};
  for (const WindowSizes& size : all)
    for (const bool tempered : {false, true}) {
      const int64_t keys = size.grid.tokens();
      const AttentionRows rows(size.thorough ? 2 : 1, size.heads, size.queries, keys, size.code_dim,
                               size.head_dim);
      const double scale = score_scale(0, size.code_dim);
      INFO(name_of({size.heads, size.queries, keys, size.code_dim, size.head_dim}),
           ", temperature ", tempered);
      Numbers expected(rows.outputs());
      kernels<float>().dot_window_attention(
          {rows.shape,
           {.codes = Codes::kBipolar2,
            .scale = scale,
            .temperature = tempered ? kTemperature.data() : nullptr},
           ValueFormat::kInt8,
           size.grid,
           rows.q(),
           rows.k(),
           rows.v(),
           expected.data()});
      AttendArgs args;
      args.codes = Codes::kBipolar2;
      args.value = ValueFormat::kInt8;
      args.factor = cuda::score_factor(Codes::kBipolar2, scale);
      args.grid = size.grid;
      check_bits(expected, size.thorough, [&](const AttentionLimits& limits, simt::Order order) {
        return rows.run(AttentionKernel::kWindow, args, limits, order,
                        tempered ? std::span<const float>(kTemperature) : std::span<const float>());
      });
    }
}

}  // namespace
}  // namespace shiftadd::test
