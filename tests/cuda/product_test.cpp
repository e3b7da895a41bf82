// The kernels of products at odd sizes against the CPU's: integers bit for bit, with all that is
// fused to them.
#include "cuda/product.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/int8_matrix.h"
#include "core/kernels.h"
#include "core/kernels/int8.h"
#include "core/random.h"
#include "core/shift.h"
#include "cuda/fragments.h"
#include "cuda/literal_shift.h"
#include "tests/cuda/executor.h"

using namespace shiftadd;
using namespace shiftadd::cuda;

namespace {

std::vector<float> random_floats(int64_t count, uint64_t stream) {
  Random random(17, stream);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& x : values) x = static_cast<float>(random.normal());
  return values;
}
Tensor tensor_of(const std::vector<float>& values, Shape shape) {
  Tensor tensor(shape);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  return tensor;
}

// A weight (outputs, inputs) of one kind, as the CPU and as the device has it.
struct Weight {
  Weight(int64_t of_outputs, int64_t of_inputs, WeightKind of_kind, uint64_t stream)
      : outputs(of_outputs), inputs(of_inputs), kind(of_kind) {
    const Tensor floats = tensor_of(random_floats(outputs * inputs, stream), {outputs, inputs});
    bias = random_floats(outputs, stream + 1000);
    std::vector<uint32_t> words;
    if (kind == WeightKind::kNibbles) {
      const ShiftRows rows = shift_rows(floats);
      cpu = DotMatrix(rows);
      words = nibble_fragments(rows.nibbles.data<uint8_t>(), outputs, inputs);
      const auto stored = rows.nibbles.span<uint8_t>();
      device_nibbles =
          test::DeviceArray<uint8_t>(std::vector<uint8_t>(stored.begin(), stored.end()));
    } else if (kind == WeightKind::kInt8) {
      const Int8Rows rows = int8_rows(floats);
      cpu = DotMatrix(rows);
      words = int8_fragments(rows.weight.data<int8_t>(), outputs, inputs);
    } else {
      values = floats;
      if (kind == WeightKind::kBf16) words = bf16_fragments(floats.data<float>(), outputs, inputs);
    }
    if (cpu.row_scales.defined()) {
      const auto span = cpu.row_scales.span<float>();
      row_scales = {span.begin(), span.end()};
      device_scales = test::DeviceArray<float>(row_scales);
    }
    device_words = test::DeviceArray<uint32_t>(words);
    if (kind == WeightKind::kFloat32) {
      const auto span = values.span<float>();
      device_floats = test::DeviceArray<float>(std::vector<float>(span.begin(), span.end()));
    }
    device_bias = test::DeviceArray<float>(bias);
  }
  WeightAt at() const {
    const void* data = kind == WeightKind::kFloat32 ? static_cast<const void*>(device_floats.get())
                                                    : device_words.get();
    return {data,
            row_scales.empty() ? nullptr : device_scales.get(),
            device_bias.get(),
            static_cast<int32_t>(outputs),
            static_cast<int32_t>(inputs),
            kind};
  }

  int64_t outputs, inputs;
  WeightKind kind;
  Tensor values;  // of bf16 and float32
  DotMatrix cpu;  // of integers
  std::vector<float> bias, row_scales;
  test::DeviceArray<uint32_t> device_words;
  test::DeviceArray<uint8_t> device_nibbles;  // as a model file stores them
  test::DeviceArray<float> device_floats, device_scales, device_bias;
};

// Tokens as int8 numbers, as the CPU and as the device has them.
struct Tokens {
  Tokens(const std::vector<float>& x, int64_t rows, int64_t width)
      : values(static_cast<std::size_t>(rows * width)), scales(static_cast<std::size_t>(rows)) {
    cpu_kernels().quantize_tokens(
        {rows, width, x.data(), scales.data(), nullptr, nullptr, values.data()});
    stride = static_cast<int32_t>(steps_of(width, 1) * kStepBytes);
    std::vector<int8_t> padded(static_cast<std::size_t>(rows * stride));
    for (int64_t r = 0; r < rows; ++r)
      std::copy_n(values.begin() + r * width, width, padded.begin() + r * stride);
    device_values = test::DeviceArray<int8_t>(padded);
    device_scales = test::DeviceArray<float>(scales);
  }
  QuantizedIn at(int64_t rows) const {
    return {device_values.get(),
            device_scales.get(),
            {static_cast<int32_t>(rows), static_cast<int32_t>(rows), 0},
            stride};
  }

  std::vector<int8_t> values;
  std::vector<float> scales;
  int32_t stride;
  test::DeviceArray<int8_t> device_values;
  test::DeviceArray<float> device_scales;
};

template <class T>
RowsAt<T> rows_at(T* data, int64_t rows, int64_t width) {
  return {data,
          {static_cast<int32_t>(rows), static_cast<int32_t>(rows), 0},
          static_cast<int32_t>(width)};
}

std::vector<float> cpu_product(const Weight& weight, const Tokens& tokens, int64_t rows,
                               Activation activation, const float* residual) {
  std::vector<float> y(static_cast<std::size_t>(rows * weight.outputs));
  cpu_kernels().int8_gemm({.tokens = rows,
                           .outputs = weight.outputs,
                           .inputs = weight.inputs,
                           .x = tokens.values.data(),
                           .scales = tokens.scales.data(),
                           .panels = weight.cpu.panels.data<uint8_t>(),
                           .row_scales = weight.cpu.row_scales.data<float>(),
                           .bias = weight.bias.data(),
                           .activation = activation,
                           .residual = residual,
                           .y = y.data()});
  return y;
}

unsigned blocks(int64_t of, int64_t each) { return static_cast<unsigned>((of + each - 1) / each); }

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct Size {
  int64_t rows, inputs, outputs;
};
struct Form {
  bool gelu, quantises;
};

void check_integer_product(const Size& size, WeightKind kind, int tile,
                           std::initializer_list<Form> forms) {
  const Weight weight(size.outputs, size.inputs, kind, 3);
  const std::vector<float> x = random_floats(size.rows * size.inputs, 1);
  const Tokens tokens(x, size.rows, size.inputs);
  const test::DeviceArray<float> floats(x);
  const std::vector<float> residual = random_floats(size.rows * size.outputs, 2);
  const test::DeviceArray<float> device_residual(residual);
  for (const Form& form : forms) {
    const Activation activation = form.gelu ? Activation::kGelu : Activation::kNone;
    const std::vector<float> expected =
        cpu_product(weight, tokens, size.rows, activation, residual.data());
    test::in_each_order(size.rows, [&] {
      test::DeviceArray<float> out(size.rows * size.outputs);
      ProductArgs args;
      if (form.quantises)
        args.in.floats = rows_at<const float>(floats.get(), size.rows, size.inputs);
      else
        args.in.quantized = tokens.at(size.rows);
      args.weight = weight.at();
      args.experts.rows = static_cast<int32_t>(size.rows);
      args.activation = activation;
      args.finish.residual = rows_at<const float>(device_residual.get(), size.rows, size.outputs);
      args.finish.out = rows_at<float>(out.get(), size.rows, size.outputs);
      INFO(size.rows, " x ", size.inputs, " x ", size.outputs, ", tile ", tile);
      test::launch(tile == 64 ? cuda::kernels::product_int8_64 : cuda::kernels::product_int8_32,
                   {.grid_x = blocks(size.outputs, kProductOutputs),
                    .grid_y = blocks(size.rows, tile),
                    .block_x = static_cast<unsigned>(product_threads(tile)),
                    .shared_bytes = product_shared(tile, steps_of(size.inputs, 1) * kStepBytes)},
                   args);
      CHECK(same(out.read(), expected));
    });
  }
}

}  // namespace

TEST_CASE("integer products of any number of rows are the CPU's") {
  for (const int tile : {64, 32})
    for (const int64_t rows : test::token_counts(tile))
      for (const WeightKind kind : {WeightKind::kNibbles, WeightKind::kInt8})
        check_integer_product({rows, 51, 67}, kind, tile, {{false, true}, {true, false}});
}

TEST_CASE("integer products of odd widths are the CPU's") {
  for (const Size& size : {Size{1, 1, 1}, Size{31, 33, 65}, Size{33, 51, 31}, Size{65, 192, 96},
                           Size{63, 1100, 17}, Size{197, 48, 130}})
    for (const WeightKind kind : {WeightKind::kNibbles, WeightKind::kInt8})
      for (const int tile : {64, 32})
        check_integer_product(size, kind, tile,
                              {{false, false}, {false, true}, {true, false}, {true, true}});
}

TEST_CASE("literal shifts and additions give the bits of the product on tensor cores") {
  for (const int64_t rows : test::token_counts(kLiteralRows))
    for (const int64_t inputs : {3, 129, 260}) {
      if (rows > 65 && inputs != 129) continue;
      const int64_t outputs = 35;
      const Weight weight(outputs, inputs, WeightKind::kNibbles, 3);
      const Tokens tokens(random_floats(rows * inputs, 1), rows, inputs);
      const std::vector<float> expected =
          cpu_product(weight, tokens, rows, Activation::kNone, nullptr);
      test::in_each_order(rows, [&] {
        test::DeviceArray<float> out(rows * outputs);
        LiteralShiftArgs args;
        args.in = tokens.at(rows);
        args.nibbles = weight.device_nibbles.get();
        args.row_scales = weight.device_scales.get();
        args.bias = weight.device_bias.get();
        args.rows = static_cast<int32_t>(rows);
        args.outputs = static_cast<int32_t>(outputs);
        args.inputs = static_cast<int32_t>(inputs);
        args.nibble_stride = static_cast<int32_t>(nibble_stride(inputs));
        args.out = rows_at<float>(out.get(), rows, outputs);
        INFO(rows, " x ", inputs);
        test::launch(cuda::kernels::literal_shift,
                     {.grid_x = blocks(outputs, kLiteralOutputs),
                      .grid_y = blocks(rows, kLiteralRows),
                      .block_x = kLiteralThreads},
                     args);
        CHECK(same(out.read(), expected));
      });
    }
}

TEST_CASE("float32 products are one chain of FMAs, as the CPU's") {
  for (const int64_t rows : test::token_counts(kFloatTile)) {
    const int64_t inputs = 37, outputs = 67;
    const Weight weight(outputs, inputs, WeightKind::kFloat32, 5);
    const std::vector<float> x = random_floats(rows * inputs, 1);
    std::vector<float> expected(static_cast<std::size_t>(rows * outputs));
    GemmArgs<float> gemm{};
    gemm.m = rows;
    gemm.n = outputs;
    gemm.k = inputs;
    gemm.a = x.data();
    gemm.lda = inputs;
    gemm.b = weight.values.data<float>();
    gemm.ldb = inputs;
    gemm.transpose_b = true;
    gemm.c = expected.data();
    gemm.ldc = outputs;
    gemm.bias = weight.bias.data();
    gemm.activation = Activation::kGelu;
    cpu_kernels().gemm(gemm);
    const test::DeviceArray<float> floats(x);
    test::in_each_order(rows, [&] {
      test::DeviceArray<float> out(rows * outputs);
      ProductArgs args;
      args.in.floats = rows_at<const float>(floats.get(), rows, inputs);
      args.weight = weight.at();
      args.experts.rows = static_cast<int32_t>(rows);
      args.activation = Activation::kGelu;
      args.finish.out = rows_at<float>(out.get(), rows, outputs);
      INFO(rows, " rows");
      test::launch(cuda::kernels::product_float32,
                   {.grid_x = blocks(outputs, kFloatTile),
                    .grid_y = blocks(rows, kFloatTile),
                    .block_x = kFloatThreads},
                   args);
      CHECK(same(out.read(), expected));
    });
  }
}

namespace {

// The largest error of y = W x + bias, in parts of the sum of its terms' magnitudes.
double worst_error(const Weight& weight, const std::vector<float>& x, const std::vector<float>& y) {
  const int64_t rows = static_cast<int64_t>(x.size()) / weight.inputs;
  double worst = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < weight.outputs; ++o) {
      double sum = weight.bias[static_cast<std::size_t>(o)], size = std::abs(sum);
      for (int64_t j = 0; j < weight.inputs; ++j) {
        const double term =
            static_cast<double>(x[static_cast<std::size_t>(r * weight.inputs + j)]) *
            weight.values.data<float>()[o * weight.inputs + j];
        sum += term;
        size += std::abs(term);
      }
      worst = std::max(worst,
                       std::abs(y[static_cast<std::size_t>(r * weight.outputs + o)] - sum) / size);
    }
  return worst;
}

void check_bf16_product(const Size& size, int tile, bool truncates) {
  const Weight weight(size.outputs, size.inputs, WeightKind::kBf16, 7);
  const std::vector<float> x = random_floats(size.rows * size.inputs, 1);
  const test::DeviceArray<float> floats(x);
  std::vector<float> first;
  test::in_each_order(size.rows, [&] {
    test::DeviceArray<float> out(size.rows * size.outputs);
    ProductArgs args;
    args.in.floats = rows_at<const float>(floats.get(), size.rows, size.inputs);
    args.weight = weight.at();
    args.experts.rows = static_cast<int32_t>(size.rows);
    args.finish.out = rows_at<float>(out.get(), size.rows, size.outputs);
    INFO(size.rows, " x ", size.inputs, ", tile ", tile, ", cut off ", truncates);
    simt::options().truncates = truncates;
    test::launch(tile == 64 ? cuda::kernels::product_bf16_64 : cuda::kernels::product_bf16_32,
                 {.grid_x = blocks(size.outputs, kProductOutputs),
                  .grid_y = blocks(size.rows, tile),
                  .block_x = static_cast<unsigned>(product_threads(tile)),
                  .shared_bytes = product_shared(tile, steps_of(size.inputs, 2) * kStepBytes)},
                 args);
    const std::vector<float> y = out.read();
    if (!first.empty()) {
      CHECK(same(y, first));
      return;
    }
    first = y;
    const double worst = worst_error(weight, x, y);
    CHECK(worst < 1.0 / 128);  // two roundings of 1/256 each
    CHECK(worst > 1e-6);
  });
}

}  // namespace

TEST_CASE("bf16 products stay within the rounding of their inputs, sums cut off or not") {
  for (const int tile : {64, 32})
    for (const int64_t rows : test::token_counts(tile))
      for (const bool truncates : {false, true}) {
        check_bf16_product({rows, 19, 67}, tile, truncates);
        if (rows <= 65) check_bf16_product({rows, 192, 67}, tile, truncates);
      }
}

namespace {

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
  test::DeviceArray<float> device_gamma, device_beta, device_router, device_router_bias,
      device_residual, out, normed;
  int32_t stride;
  test::DeviceArray<int8_t> integers;
  test::DeviceArray<float> scales;
  test::DeviceArray<int32_t> order, counts;
  test::DeviceArray<float> gates;
  test::DeviceArray<uint8_t> choices;
  FinishRows finish;
};

}  // namespace

TEST_CASE("a projection with residual, norm, int8 numbers and router is the CPU's") {
  for (const int tile : {64, 32})
    for (const int64_t rows : test::token_counts(tile)) {
      const int64_t inputs = 51, width = 67;
      const Weight weight(width, inputs, WeightKind::kNibbles, 3);
      const std::vector<float> x = random_floats(rows * inputs, 1);
      const Tokens tokens(x, rows, inputs);
      const test::DeviceArray<float> floats(x);
      test::in_each_order(rows, [&] {
        INFO(rows, " rows, tile ", tile);
        Followers after(rows, width, true);
        after.counts.write({0, 0});
        ProductArgs args;
        args.in.floats = rows_at<const float>(floats.get(), rows, inputs);
        args.weight = weight.at();
        args.experts.rows = static_cast<int32_t>(rows);
        args.finish = after.finish;
        test::launch(
            tile == 64 ? cuda::kernels::project_int8_64 : cuda::kernels::project_int8_32,
            {.grid_x = blocks(rows, tile),
             .block_x = kProjectThreads,
             .shared_bytes = project_shared(tile, steps_of(inputs, 1) * kStepBytes, width)},
            args);
        after.check(cpu_product(weight, tokens, rows, Activation::kNone, after.residual.data()),
                    true);
      });
    }
}

TEST_CASE("rows without a product before get residual, norm, int8 numbers and router") {
  for (const int64_t rows : test::token_counts(kFinishRows))
    for (const int64_t width : {1, 67}) {
      const std::vector<float> x = random_floats(rows * width, 1);
      const test::DeviceArray<float> floats(x);
      test::in_each_order(rows, [&] {
        INFO(rows, " rows of ", width);
        Followers after(rows, width, true);
        after.counts.write({0, 0});
        FinishArgs args;
        args.in = rows_at<const float>(floats.get(), rows, width);
        args.rows = static_cast<int32_t>(rows);
        args.width = static_cast<int32_t>(width);
        args.finish = after.finish;
        test::launch(cuda::kernels::finish,
                     {.grid_x = blocks(rows, kFinishRows),
                      .block_x = kFinishThreads,
                      .shared_bytes = finish_shared(width)},
                     args);
        std::vector<float> expected(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) expected[i] = x[i] + after.residual[i];
        after.check(expected, true);
      });
    }
}

TEST_CASE("an MLP in one kernel is the CPU's two products, of one expert and of two") {
  for (const int tile : {32, 16})
    for (const int64_t rows : test::token_counts(tile))
      for (const bool mixes : {false, true}) {
        // Wide hidden rows take the most time, and many tokens do not change them.
        const int64_t width = 51, hidden = tile == 32 || rows > 197 ? 133 : 801;
        const Weight fc1[2] = {{hidden, width, WeightKind::kInt8, 3},
                               {hidden, width, WeightKind::kNibbles, 4}};
        const Weight fc2[2] = {{width, hidden, WeightKind::kInt8, 5},
                               {width, hidden, WeightKind::kNibbles, 6}};
        const std::vector<float> x = random_floats(rows * width, 1);
        const Tokens tokens(x, rows, width);
        // Rows 0, 3, 6 .. go to the second expert, in an order of no meaning.
        std::vector<int32_t> order(static_cast<std::size_t>(rows)), counts = {0, 0};
        for (int32_t row = static_cast<int32_t>(rows) - 1; row >= 0; --row) {
          const bool second = mixes && row % 3 == 0;
          const auto place = second ? rows - 1 - counts[1]++ : counts[0]++;
          order[static_cast<std::size_t>(place)] = row;
        }
        std::vector<float> expected(static_cast<std::size_t>(rows * width));
        Followers after(rows, width, false);
        for (int e = 0; e < 2; ++e) {
          const std::vector<float> between =
              cpu_product(fc1[e], tokens, rows, Activation::kGelu, nullptr);
          const std::vector<float> y = cpu_product(fc2[e], Tokens(between, rows, hidden), rows,
                                                   Activation::kNone, after.residual.data());
          for (int64_t r = 0; r < rows; ++r)
            if ((mixes && r % 3 == 0) == (e == 1))
              std::copy_n(y.begin() + r * width, width, expected.begin() + r * width);
        }
        const test::DeviceArray<int32_t> device_order(order), device_counts(counts);
        MlpArgs args;
        args.in = tokens.at(rows);
        for (int e = 0; e < 2; ++e) {
          args.fc1[e] = fc1[e].at();
          args.fc2[e] = fc2[e].at();
        }
        args.experts.rows = static_cast<int32_t>(rows);
        if (mixes) {
          args.experts.order = device_order.get();
          args.experts.counts = device_counts.get();
        }
        args.finish = after.finish;
        INFO(rows, " rows, tile ", tile, ", mixes ", mixes);
        test::in_each_order(rows, [&] {
          test::launch(tile == 32 ? cuda::kernels::mlp_int8_32 : cuda::kernels::mlp_int8_16,
                       {.grid_x = blocks(rows, tile) + (mixes ? 1 : 0),
                        .block_x = kMlpThreads,
                        .shared_bytes = mlp_shared(tile, width, hidden, width)},
                       args);
          after.check(expected, false);
        });
      }
}
