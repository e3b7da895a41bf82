// The kernels that finish whole rows (projections, MLPs, rows by themselves) against the CPU's
// bits.
#include <cmath>

#include "tests/cuda/product_test.h"

namespace shiftadd::test {
namespace {

using namespace cuda;

// What follows a product in the same kernel, and its reference.
struct Followers {
  Followers(int64_t of_rows, int64_t of_width, bool routes)
      : rows(of_rows),
        width(of_width),
        gamma(random_floats(width, 21)),
        beta(random_floats(width, 22)),
        router(random_floats(2 * width, 23)),
        router_bias(random_floats(2, 24)),
        residual(random_floats(rows * width, 25)),
        device_gamma(gamma),
        device_beta(beta),
        device_router(router),
        device_router_bias(router_bias),
        device_residual(residual),
        out(rows * width),
        normed(rows * width),
        stride(static_cast<int32_t>(steps_of(width, 1) * kStepBytes)),
        integers(rows * stride),
        scales(rows),
        order(rows),
        counts(2),
        gates(2 * rows),
        choices(rows) {
    finish.residual = rows_at<const float>(device_residual.get(), rows, width);
    finish.out = rows_at<float>(out.get(), rows, width);
    finish.gamma = device_gamma.get();
    finish.beta = device_beta.get();
    finish.eps = 1e-6;
    finish.normed = rows_at<float>(normed.get(), rows, width);
    finish.quantized = {integers.get(),
                        scales.get(),
                        {static_cast<int32_t>(rows), static_cast<int32_t>(rows), 0},
                        stride};
    if (!routes) return;
    finish.route.order = order.get();
    finish.route.counts = counts.get();
    finish.route.weight = device_router.get();
    finish.route.bias = device_router_bias.get();
    finish.route.gates = gates.get();
    finish.route.choices = choices.get();
    finish.route.choice_stride = static_cast<int32_t>(rows);
    finish.route.tokens = static_cast<int32_t>(rows);
    finish.route.rows = static_cast<int32_t>(rows);
  }

  // Of rows whose sums with the residual are `expected`.
  void check(const std::vector<float>& expected, bool routes) const {
    CHECK(same(out.read(), expected));
    std::vector<float> norm(expected.size());
    cpu_kernels().layer_norm({.rows = rows,
                              .columns = width,
                              .eps = 1e-6,
                              .x = expected.data(),
                              .gamma = gamma.data(),
                              .beta = beta.data(),
                              .y = norm.data(),
                              .mean = nullptr,
                              .rstd = nullptr});
    CHECK(same(normed.read(), norm));
    const Tokens tokens(norm, rows, width);
    CHECK(same(scales.read(), tokens.scales));
    const std::vector<int8_t> padded = integers.read();
    for (int64_t r = 0; r < rows; ++r) {
      CHECK(std::equal(tokens.values.begin() + r * width, tokens.values.begin() + (r + 1) * width,
                       padded.begin() + r * stride));
      CHECK(std::all_of(padded.begin() + r * stride + width, padded.begin() + (r + 1) * stride,
                        [](int8_t x) { return x == 0; }));
    }
    if (routes) check_routes(norm);
  }
  void check_routes(const std::vector<float>& norm) const {
    const std::vector<int32_t> places = order.read(), count = counts.read();
    const std::vector<uint8_t> chosen = choices.read();
    REQUIRE(count[0] + count[1] == rows);
    std::vector<int> seen(static_cast<std::size_t>(rows));
    for (int64_t place = 0; place < rows; ++place) {
      const auto row = static_cast<std::size_t>(places[static_cast<std::size_t>(place)]);
      ++seen[row];
      CHECK(chosen[row] == (place < count[0] ? 0 : 1));
    }
    CHECK(seen == std::vector<int>(static_cast<std::size_t>(rows), 1));
    const std::vector<float> probability = gates.read();
    for (int64_t r = 0; r < rows; ++r) {
      float logits[2], gate[2];
      for (int e = 0; e < 2; ++e) {
        float sum = 0;
        for (int64_t j = 0; j < width; ++j)
          sum = std::fma(norm[static_cast<std::size_t>(r * width + j)],
                         router[static_cast<std::size_t>(e * width + j)], sum);
        logits[e] = sum + router_bias[static_cast<std::size_t>(e)];
      }
      cpu_kernels().softmax({1, 2, logits, gate});
      CHECK(probability[static_cast<std::size_t>(2 * r)] == gate[0]);
      CHECK(probability[static_cast<std::size_t>(2 * r + 1)] == gate[1]);
      CHECK(chosen[static_cast<std::size_t>(r)] == (logits[1] > logits[0] ? 1 : 0));
    }
  }

  int64_t rows, width;
  std::vector<float> gamma, beta, router, router_bias, residual;
  DeviceArray<float> device_gamma, device_beta, device_router, device_router_bias, device_residual,
      out, normed;
  int32_t stride;
  DeviceArray<int8_t> integers;
  DeviceArray<float> scales;
  DeviceArray<int32_t> order, counts;
  DeviceArray<float> gates;
  DeviceArray<uint8_t> choices;
  FinishRows finish;
};

void check_projection(int64_t rows, int64_t inputs, int64_t width, int tile) {
  const Weight weight(width, inputs, WeightKind::kNibbles, 3);
  const std::vector<float> x = random_floats(rows * inputs, 1);
  const Tokens tokens(x, rows, inputs);
  const DeviceArray<float> floats(x);
  in_each_order(rows, [&] {
    INFO(rows, " x ", inputs, " x ", width, ", tile ", tile);
    Followers after(rows, width, true);
    after.counts.write({0, 0});
    ProductArgs args;
    args.in.floats = rows_at<const float>(floats.get(), rows, inputs);
    args.weight = weight.at();
    args.experts.rows = static_cast<int32_t>(rows);
    args.finish = after.finish;
    launch(tile == 64 ? cuda::kernels::project_int8_64 : cuda::kernels::project_int8_32,
           project_shape(tile, rows, width, steps_of(inputs, 1) * kStepBytes), args);
    after.check(cpu_product(weight, tokens, rows, Activation::kNone, after.residual.data()), true);
  });
}

}  // namespace

TEST_CASE("a projection with residual, norm, int8 numbers and router is the CPU's") {
  for (const int tile : {64, 32})
    for (const int64_t rows : token_counts(tile)) check_projection(rows, 51, 67, tile);
}

TEST_CASE("a projection of few and of many numbers is the CPU's") {
  for (const int tile : {64, 32}) {
    check_projection(1, 1, 1, tile);
    check_projection(33, 192, 192, tile);
    check_projection(31, 1300, 35, tile);  // a tile of 64 such rows is what the smallest GPU holds
    check_projection(17, 33, 257, tile);
  }
  check_projection(33, 2500, 31, 32);
}

TEST_CASE("rows without a product before get residual, norm, int8 numbers and router") {
  for (const int64_t rows : token_counts(kFinishRows))
    for (const auto& [width, block_rows] :
         {std::pair{1, kFinishRows}, {67, kFinishRows}, {67, 1}, {1030, kFinishRows}}) {
      if (width > 67 && rows > 65) continue;
      // Where a block has no more shared memory, it has fewer rows.
      const auto shared_bytes = static_cast<int64_t>(finish_shared(block_rows, width));
      const std::vector<float> x = random_floats(rows * width, 1);
      const DeviceArray<float> floats(x);
      in_each_order(rows, [&] {
        INFO(rows, " rows of ", width, ", ", block_rows, " a block");
        Followers after(rows, width, true);
        after.counts.write({0, 0});
        FinishArgs args;
        args.in = rows_at<const float>(floats.get(), rows, width);
        args.rows = static_cast<int32_t>(rows);
        args.width = static_cast<int32_t>(width);
        args.finish = after.finish;
        launch(cuda::kernels::finish, finish_shape(rows, width, shared_bytes), args);
        std::vector<float> expected(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) expected[i] = x[i] + after.residual[i];
        after.check(expected, true);
      });
    }
}

namespace {

void check_mlp(int64_t rows, int64_t width, int64_t hidden, int tile, bool mixes) {
  const Weight fc1[2] = {{hidden, width, WeightKind::kInt8, 3},
                         {hidden, width, WeightKind::kNibbles, 4}};
  const Weight fc2[2] = {{width, hidden, WeightKind::kInt8, 5},
                         {width, hidden, WeightKind::kNibbles, 6}};
  const std::vector<float> x = random_floats(rows * width, 1);
  const Tokens tokens(x, rows, width);
  const Split split(rows);
  std::vector<float> expected(static_cast<std::size_t>(rows * width));
  Followers after(rows, width, false);
  for (int e = 0; e < 2; ++e) {
    const std::vector<float> between =
        cpu_product(fc1[e], tokens, rows, Activation::kGelu, nullptr);
    const std::vector<float> y = cpu_product(fc2[e], Tokens(between, rows, hidden), rows,
                                             Activation::kNone, after.residual.data());
    for (int64_t r = 0; r < rows; ++r)
      if (!mixes ? e == 0 : split.has(e, r))
        std::copy_n(y.begin() + r * width, width, expected.begin() + r * width);
  }
  MlpArgs args;
  args.in = tokens.at(rows);
  for (int e = 0; e < 2; ++e) {
    args.fc1[e] = fc1[e].at();
    args.fc2[e] = fc2[e].at();
  }
  args.experts.rows = static_cast<int32_t>(rows);
  if (mixes) args.experts = split.at();
  args.finish = after.finish;
  INFO(rows, " rows of ", width, ", ", hidden, " hidden, tile ", tile, ", mixes ", mixes);
  in_each_order(rows, [&] {
    launch(tile == 32 ? cuda::kernels::mlp_int8_32 : cuda::kernels::mlp_int8_16,
           mlp_shape(tile, rows, mixes, width, hidden, width), args);
    after.check(expected, false);
  });
}

}  // namespace

TEST_CASE("an MLP in one kernel is the CPU's two products, of one expert and of two") {
  for (const int tile : {32, 16})
    for (const int64_t rows : token_counts(tile))
      for (const bool mixes : {false, true})
        // Wide hidden rows take the most time, and many tokens do not change them.
        check_mlp(rows, 51, tile == 32 || rows > 197 ? 133 : 801, tile, mixes);
}

TEST_CASE("an MLP of few and of many numbers is the CPU's two products") {
  for (const bool mixes : {false, true}) {
    for (const int tile : {32, 16}) {
      check_mlp(5, 1, 1, tile, mixes);
      check_mlp(33, 192, 768, tile, mixes);
    }
    check_mlp(17, 35, kMlpHidden16, 16, mixes);
    check_mlp(3, 1100, 65, 16, mixes);
  }
}

}  // namespace shiftadd::test
