// The small kernels at odd sizes, each number against a plain loop.
#include "cuda/elementwise.h"

#include <cmath>

#include "core/kernels.h"
#include "core/random.h"
#include "tests/cuda/executor.h"

using namespace shiftadd;
using namespace shiftadd::cuda;

namespace {

std::vector<float> random_floats(int64_t count, uint64_t stream) {
  Random random(29, stream);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& x : values) x = static_cast<float>(random.normal());
  return values;
}
unsigned blocks(int64_t numbers) {
  return static_cast<unsigned>((numbers + kElementThreads - 1) / kElementThreads);
}
template <class T>
RowsAt<T> rows_at(T* data, int32_t rows, int32_t width) {
  return {data, {rows, rows, 0}, width};
}

struct Size {
  int32_t channels, height, width, kernel, stride, padding;
};

void check_gather(const Size& size) {
  constexpr int32_t kImages = 2;
  const int32_t pixels = size.height * size.width;
  const auto places = [&](int32_t side) {
    return (side + 2 * size.padding - size.kernel) / size.stride + 1;
  };
  const int32_t down = places(size.height), across = places(size.width);
  const int32_t square = size.kernel * size.kernel, values = size.channels * square;
  const std::vector<float> x = random_floats(kImages * size.channels * pixels, 1);
  std::vector<float> expected;
  for (int32_t image = 0; image < kImages; ++image)
    for (int32_t place = 0; place < down * across; ++place)
      for (int32_t j = 0; j < values; ++j) {
        const int32_t y = place / across * size.stride - size.padding + j % square / size.kernel;
        const int32_t column = place % across * size.stride - size.padding + j % size.kernel;
        const bool inside = y >= 0 && y < size.height && column >= 0 && column < size.width;
        const int32_t plane = image * size.channels + j / square;
        expected.push_back(
            inside ? x[static_cast<std::size_t>(plane * pixels + y * size.width + column)] : 0);
      }
  const test::DeviceArray<float> in(x);
  test::in_each_order(down * across, [&] {
    test::DeviceArray<float> out(static_cast<int64_t>(expected.size()));
    GatherArgs args;
    args.in = in.get();
    args.image_step = size.channels * pixels;
    args.channel_step = pixels;
    args.pixel_step = 1;
    args.channels = size.channels;
    args.height = size.height;
    args.width = size.width;
    args.kernel = size.kernel;
    args.stride = size.stride;
    args.padding = size.padding;
    args.places_down = down;
    args.places_across = across;
    args.images = kImages;
    args.out = out.get();
    INFO(down, " x ", across, " places");
    test::launch(
        cuda::kernels::gather,
        {.grid_x = blocks(static_cast<int64_t>(expected.size())), .block_x = kElementThreads},
        args);
    CHECK(out.read() == expected);
  });
}

}  // namespace

TEST_CASE("numbers under a kernel that reaches beyond the image are 0") {
  for (const Size& size : {Size{3, 5, 7, 3, 1, 1}, Size{1, 6, 4, 3, 2, 1}, Size{2, 8, 8, 4, 4, 0},
                           Size{2, 5, 5, 5, 2, 2}})
    check_gather(size);
  // Of any number of places: images one pixel high.
  for (const int64_t places : test::token_counts(kElementThreads))
    check_gather({2, 1, static_cast<int32_t>(2 * places - 1), 3, 2, 1});
}

TEST_CASE("functions of numbers have the CPU's bits") {
  constexpr int32_t kWidth = 45;
  for (const int64_t tokens : test::token_counts(kElementThreads)) {
    const auto rows = static_cast<int32_t>(tokens);
    const auto check = [&](Function function, int32_t inputs, const std::vector<float>& x,
                           const std::vector<float>& expected) {
      const test::DeviceArray<float> in(x);
      test::in_each_order(rows, [&] {
        test::DeviceArray<float> out(rows * kWidth);
        INFO(rows, " rows, function ", static_cast<int>(function));
        test::launch(cuda::kernels::map,
                     {.grid_x = blocks(rows * kWidth), .block_x = kElementThreads},
                     MapArgs{rows_at<const float>(in.get(), rows, inputs * kWidth),
                             rows_at<float>(out.get(), rows, kWidth), rows, kWidth, function});
        CHECK(out.read() == expected);
      });
    };
    std::vector<float> expected(static_cast<std::size_t>(rows * kWidth));
    for (const HiddenActivation kind :
         {HiddenActivation::kGelu, HiddenActivation::kGeluTanh, HiddenActivation::kQuickGelu,
          HiddenActivation::kRelu, HiddenActivation::kSwiGlu}) {
      const auto inputs = static_cast<int32_t>(inputs_of(kind));
      const std::vector<float> x = random_floats(rows * inputs * kWidth, 2);
      cpu_kernels().activation({kind, rows, kWidth, x.data(), expected.data()});
      check(function_of(kind), inputs, x, expected);
    }
    const std::vector<float> x = random_floats(rows * kWidth, 2);
    cpu_kernels().tanh({rows * kWidth, x.data(), expected.data()});
    check(Function::kTanh, 1, x, expected);
  }
}

TEST_CASE("factors, with and without a residual, have the CPU's bits") {
  constexpr int32_t kWidth = 33;
  const std::vector<float> factors = random_floats(kWidth, 4);
  const test::DeviceArray<float> scale(factors);
  for (const int64_t tokens : test::token_counts(kElementThreads)) {
    const auto rows = static_cast<int32_t>(tokens);
    const std::vector<float> x = random_floats(rows * kWidth, 3),
                             residual = random_floats(rows * kWidth, 5);
    const test::DeviceArray<float> in(x), more(residual);
    for (const bool adds : {false, true}) {
      std::vector<float> expected(x.size());
      cpu_kernels().scale_channels({rows, kWidth, x.data(), factors.data(),
                                    adds ? residual.data() : nullptr, expected.data()});
      cuda::ScaleArgs args;
      args.in = rows_at<const float>(in.get(), rows, kWidth);
      if (adds) args.residual = rows_at<const float>(more.get(), rows, kWidth);
      args.factors = scale.get();
      args.rows = rows;
      args.width = kWidth;
      test::in_each_order(rows, [&] {
        test::DeviceArray<float> out(rows * kWidth);
        args.out = rows_at<float>(out.get(), rows, kWidth);
        INFO(rows, " rows, a residual ", adds);
        test::launch(cuda::kernels::scale_rows,
                     {.grid_x = blocks(rows * kWidth), .block_x = kElementThreads}, args);
        CHECK(out.read() == expected);
      });
    }
  }
}

TEST_CASE("means of an image's rows are sums in their order, divided") {
  constexpr int32_t kImages = 3;
  for (const int64_t tokens : test::token_counts(kElementThreads))
    for (const int32_t width : {33, 257}) {
      const auto rows = static_cast<int32_t>(tokens);
      const std::vector<float> x = random_floats(kImages * rows * width, 3);
      std::vector<float> means;
      for (int32_t image = 0; image < kImages; ++image)
        for (int32_t j = 0; j < width; ++j) {
          float sum = 0;
          for (int32_t row = 0; row < rows; ++row)
            sum += x[static_cast<std::size_t>((image * rows + row) * width + j)];
          means.push_back(sum / static_cast<float>(rows));
        }
      const test::DeviceArray<float> in(x);
      test::in_each_order(rows, [&] {
        test::DeviceArray<float> out(kImages * width);
        INFO(rows, " rows of ", width);
        test::launch(cuda::kernels::mean_rows,
                     {.grid_x = blocks(width), .grid_y = kImages, .block_x = kElementThreads},
                     MeanArgs{rows_at<const float>(in.get(), kImages * rows, width),
                              rows_at<float>(out.get(), kImages, width), rows, width, kImages});
        CHECK(out.read() == means);
      });
    }
}
