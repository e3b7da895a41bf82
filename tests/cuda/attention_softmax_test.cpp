// The kernel of softmax attention in floats against the CPU's, and which attention has no kernel.
#include "tests/cuda/attention_test.h"

namespace shiftadd::test {
namespace {

using cuda::AttendArgs;
using cuda::AttentionKernel;
using cuda::AttentionLimits;

constexpr AttentionLimits kDevice = {163 << 10, 108};

// Of the largest output: both sum weights and values of floats, each in its order. A score of
// random rows is off by some 1e-6 of itself, and a weight by as much of the score.
constexpr double kTolerance = 4e-6;

struct Form {
  Codes codes;
  ValueFormat value;
};
constexpr Form kForms[] = {{Codes::kNone, ValueFormat::kFloat},
                           {Codes::kSign, ValueFormat::kFloat},
                           {Codes::kSign, ValueFormat::kInt8},
                           {Codes::kBipolar2, ValueFormat::kFloat},
                           {Codes::kBipolar2, ValueFormat::kInt8}};

TEST_CASE("cuda: softmax_attention is near the CPU's") {
  for (const AttentionSizes& size :
       attention_sizes({{2, 100, 49, 32, 32}, {1, 9, 1025, 64, 64}, {1, 3, 3000, 32, 64}}))
    for (std::size_t i = 0; i < std::size(kForms); ++i) {
      if (!size.has(i, std::size(kForms))) continue;
      const auto [codes, value] = kForms[i];
      const AttentionRows rows(size.batch(), size.heads, size.queries, size.keys, size.code_dim,
                               size.head_dim);
      const double scale = score_scale(0, size.code_dim);
      const Numbers temperature = {0.8F, 1.3F, 0.0F};
      Numbers expected(rows.outputs());
      AttendArgs args;
      args.codes = codes;
      args.value = value;
      args.factor = cuda::score_factor(codes, scale);
      std::span<const float> tempered;
      if (codes == Codes::kNone) {
        kernels<float>().attention(
            {rows.shape, scale, rows.q(), rows.k(), rows.v(), expected.data(), nullptr});
      } else {
        tempered = temperature;
        kernels<float>().popcount_attention(
            {rows.shape,
             {.codes = codes, .scale = scale, .temperature = temperature.data()},
             value,
             rows.q(),
             rows.k(),
             rows.v(),
             expected.data(),
             nullptr});
      }
      Numbers first;
      in_each_order(size.keys, [&] {
        const Numbers actual = rows.run(AttentionKernel::kSoftmax, args, kDevice, tempered);
        check_near(actual, expected, kTolerance,
                   concat(size.name(), ", codes ", static_cast<int>(codes)));
        if (first.empty()) first = actual;
        CHECK(same_bits(actual, first));
      });
    }
}

TEST_CASE("cuda: scores that differ by hundreds, and equal ones") {
  AttentionRows rows(1, 1, 70, 70, 32, 32);
  for (std::size_t i = 0; i < rows.rows.size(); ++i)
    if (i / 96 < 35 && i % 96 < 64) rows.rows[i] *= i / 96 % 2 ? 0.0F : 20.0F;
  Numbers expected(rows.outputs());
  const double scale = score_scale(0, 32);
  kernels<float>().attention(
      {rows.shape, scale, rows.q(), rows.k(), rows.v(), expected.data(), nullptr});
  AttendArgs args;
  args.factor = cuda::score_factor(Codes::kNone, scale);
  // A score of 1000 is rounded to 6e-5.
  check_near(rows.run(AttentionKernel::kSoftmax, args, kDevice), expected, 1e-3, "wide scores");
}

AttendArgs args_of(const AttentionSizes& size, Codes codes, ValueFormat value) {
  AttendArgs args;
  args.shape =
      AttentionRows(1, size.heads, size.queries, size.keys, size.code_dim, size.head_dim).shape;
  args.codes = codes;
  args.value = value;
  return args;
}

TEST_CASE("cuda: attention without a kernel is refused with the reason") {
  using cuda::missing_attention;
  const AttentionSizes size = {1, 1, 65, 32, 32};
  const auto reason = [](AttentionKernel kernel, const AttendArgs& args) {
    return missing_attention(kernel, args, kDevice);
  };
  const AttendArgs floats = args_of(size, Codes::kSign, ValueFormat::kFloat);
  CHECK(reason(AttentionKernel::kSoftmax, floats).empty());
  CHECK(reason(AttentionKernel::kLinear, floats) ==
        "linear attention in integers takes sign codes and int8 values only");
  CHECK(reason(AttentionKernel::kAngular, floats).empty());
  CHECK(reason(AttentionKernel::kAngular, args_of(size, Codes::kNone, ValueFormat::kInt8)).empty());
  CHECK(reason(AttentionKernel::kAngular, args_of(size, Codes::kUnitBatch, ValueFormat::kFloat)) ==
        "unit codes have no kernel");
  CHECK(reason(AttentionKernel::kAngular, args_of(size, Codes::kBipolar2, ValueFormat::kInt8)) ==
        "linear attention without a window takes sign codes or none");
  CHECK(reason(AttentionKernel::kWindow, floats) ==
        "linear attention with a window takes bipolar2 codes and int8 values only");
  AttendArgs window = args_of(size, Codes::kBipolar2, ValueFormat::kInt8);
  window.grid = {8, 5, 25};
  CHECK(reason(AttentionKernel::kWindow, window) == "windows take up to 32 keys, not 34");
  window.grid = {8, 8, 1};
  CHECK(reason(AttentionKernel::kWindow, window).empty());
  CHECK(reason(AttentionKernel::kSoftmax, args_of(size, Codes::kUnitHead, ValueFormat::kFloat)) ==
        "unit codes have no kernel");
  CHECK(reason(AttentionKernel::kInt8,
               args_of({1, 1, 1025, 32, 32}, Codes::kNone, ValueFormat::kInt8)) ==
        "int8 softmax attention takes up to 1024 keys, not 1025");
  CHECK(reason(AttentionKernel::kInt8,
               args_of({1, 1, 65, 32, 129}, Codes::kNone, ValueFormat::kInt8)) ==
        "a head has rows of up to 128 numbers, not 129");
  AttendArgs many = args_of(size, Codes::kNone, ValueFormat::kInt8);
  many.shape.batch = 70000;
  CHECK(reason(AttentionKernel::kInt8, many) ==
        "70000 images of 1 x 65 tokens are too many for one launch");
  AttendArgs long_window = args_of({1, 1, 20000, 128, 128}, Codes::kBipolar2, ValueFormat::kInt8);
  long_window.grid = {100, 200, 0};
  CHECK(reason(AttentionKernel::kWindow, long_window) ==
        "20000 keys do not fit the 166912 bytes of shared memory that a block has");
  CHECK_THROWS_WITH_AS(
      cuda::plan_attention(AttentionKernel::kLinear, floats, kDevice),
      "attention on the GPU: linear attention in integers takes sign codes and int8 values only; "
      "run this model on the CPU",
      Error);
}

TEST_CASE("cuda: attention of one image uses more blocks than heads, of many one a head") {
  AttendArgs args = args_of({3, 197, 197, 64, 64}, Codes::kBipolar2, ValueFormat::kInt8);
  args.grid = {14, 14, 1};
  for (const AttentionKernel kernel : {AttentionKernel::kInt8, AttentionKernel::kWindow}) {
    args.shape.batch = 1;
    const cuda::AttentionPlan one = cuda::plan_attention(kernel, args, kDevice);
    CHECK(one.shape.grid_x == 7);
    CHECK(one.shape.grid_y == 3);
    CHECK(one.cut.resident);
    CHECK(2 * one.shape.shared_bytes <= kDevice.shared_bytes);
    args.shape.batch = 256;
    const cuda::AttentionPlan many = cuda::plan_attention(kernel, args, kDevice);
    CHECK(many.shape.grid_x == 1);
    CHECK(many.shape.grid_z == 256);
    CHECK(many.cut.queries == 224);
  }
}

}  // namespace
}  // namespace shiftadd::test
