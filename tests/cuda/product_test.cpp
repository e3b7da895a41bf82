// The kernels of products at odd sizes against the CPU's: integers bit for bit.
#include "tests/cuda/product_test.h"

#include <cmath>

#include "cuda/literal_shift.h"

namespace shiftadd::test {
namespace {

using namespace cuda;

struct Size {
  int64_t rows, inputs, outputs;
};
constexpr Size kOddSizes[] = {{1, 1, 1},     {31, 33, 65},   {33, 51, 31},
                              {65, 192, 96}, {63, 1100, 17}, {197, 48, 130}};
struct Form {
  bool gelu, quantises;
};

void check_integer_product(const Size& size, WeightKind kind, int tile,
                           std::initializer_list<Form> forms) {
  const Weight weight(size.outputs, size.inputs, kind, 3);
  const std::vector<float> x = random_floats(size.rows * size.inputs, 1);
  const Tokens tokens(x, size.rows, size.inputs);
  const DeviceArray<float> floats(x);
  const std::vector<float> residual = random_floats(size.rows * size.outputs, 2);
  const DeviceArray<float> device_residual(residual);
  for (const Form& form : forms) {
    const Activation activation = form.gelu ? Activation::kGelu : Activation::kNone;
    const std::vector<float> expected =
        cpu_product(weight, tokens, size.rows, activation, residual.data());
    in_each_order(size.rows, [&] {
      DeviceArray<float> out(size.rows * size.outputs);
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
      launch(tile == 64 ? cuda::kernels::product_int8_64 : cuda::kernels::product_int8_32,
             product_shape(tile, size.rows, size.outputs, steps_of(size.inputs, 1) * kStepBytes),
             args);
      CHECK(same(out.read(), expected));
    });
  }
}

}  // namespace

TEST_CASE("integer products of any number of rows are the CPU's") {
  for (const int tile : {64, 32})
    for (const int64_t rows : token_counts(tile))
      for (const WeightKind kind : {WeightKind::kNibbles, WeightKind::kInt8})
        check_integer_product({rows, 51, 67}, kind, tile, {{false, true}, {true, false}});
}

TEST_CASE("integer products of odd widths are the CPU's") {
  for (const Size& size : kOddSizes)
    for (const WeightKind kind : {WeightKind::kNibbles, WeightKind::kInt8})
      for (const int tile : {64, 32})
        check_integer_product(size, kind, tile,
                              {{false, false}, {false, true}, {true, false}, {true, true}});
}

namespace {

// An expert's part of a product: rows that the order names are gathered, or those at its places are
// scattered, each times its gate.
void check_expert_product(int64_t rows, int tile, int expert, bool scatters) {
  const int64_t inputs = 51, outputs = 67;
  const Weight weight(outputs, inputs, WeightKind::kNibbles, 3);
  const Tokens tokens(random_floats(rows * inputs, 1), rows, inputs);
  const std::vector<float> gates = random_floats(2 * rows, 4);
  const DeviceArray<float> device_gates(gates);
  const Split split(rows);
  const std::vector<float> y = cpu_product(weight, tokens, rows, Activation::kNone, nullptr);
  const std::vector<float> before(static_cast<std::size_t>(rows * outputs), -7.0F);
  std::vector<float> expected = before;
  for (int32_t i = 0; i < split.counts[static_cast<std::size_t>(expert)]; ++i) {
    const int64_t place = expert == 0 ? i : rows - 1 - i;
    const int64_t row = split.order[static_cast<std::size_t>(place)];
    for (int64_t j = 0; j < outputs; ++j) {
      const float x = y[static_cast<std::size_t>((scatters ? place : row) * outputs + j)];
      expected[static_cast<std::size_t>((scatters ? row : place) * outputs + j)] =
          scatters ? x * gates[static_cast<std::size_t>(2 * row + expert)] : x;
    }
  }
  in_each_order(rows, [&] {
    DeviceArray<float> out(before);
    ProductArgs args;
    args.in.quantized = tokens.at(rows);
    args.weight = weight.at();
    args.experts = split.at();
    args.expert = expert;
    args.gathers = !scatters;
    args.scatters = scatters;
    if (scatters) args.finish.gates = device_gates.get();
    args.finish.out = rows_at<float>(out.get(), rows, outputs);
    INFO(rows, " rows, tile ", tile, ", expert ", expert, ", scatters ", scatters);
    launch(tile == 64 ? cuda::kernels::product_int8_64 : cuda::kernels::product_int8_32,
           product_shape(tile, rows, outputs, steps_of(inputs, 1) * kStepBytes), args);
    CHECK(same(out.read(), expected));
  });
}

}  // namespace

TEST_CASE("an expert reads and writes the rows that the order names, and no others") {
  for (const int tile : {64, 32})
    for (const int64_t rows : token_counts(tile))
      for (const int expert : {0, 1})
        for (const bool scatters : {false, true})
          check_expert_product(rows, tile, expert, scatters);
}

TEST_CASE("literal shifts and additions give the bits of the product on tensor cores") {
  for (const int64_t rows : token_counts(kLiteralRows))
    for (const int64_t inputs : {3, 129, 260}) {
      if (rows > 65 && inputs != 129) continue;
      const int64_t outputs = 35;
      const Weight weight(outputs, inputs, WeightKind::kNibbles, 3);
      const Tokens tokens(random_floats(rows * inputs, 1), rows, inputs);
      const std::vector<float> expected =
          cpu_product(weight, tokens, rows, Activation::kNone, nullptr);
      in_each_order(rows, [&] {
        DeviceArray<float> out(rows * outputs);
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
        launch(cuda::kernels::literal_shift,
               {.grid_x = blocks_of(outputs, kLiteralOutputs),
                .grid_y = blocks_of(rows, kLiteralRows),
                .block_x = kLiteralThreads},
               args);
        CHECK(same(out.read(), expected));
      });
    }
}

namespace {

void check_float_product(const Size& size) {
  const int64_t rows = size.rows, inputs = size.inputs, outputs = size.outputs;
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
  const DeviceArray<float> floats(x);
  in_each_order(rows, [&] {
    DeviceArray<float> out(rows * outputs);
    ProductArgs args;
    args.in.floats = rows_at<const float>(floats.get(), rows, inputs);
    args.weight = weight.at();
    args.experts.rows = static_cast<int32_t>(rows);
    args.activation = Activation::kGelu;
    args.finish.out = rows_at<float>(out.get(), rows, outputs);
    INFO(rows, " x ", inputs, " x ", outputs);
    launch(cuda::kernels::product_float32, float_product_shape(rows, outputs), args);
    CHECK(same(out.read(), expected));
  });
}

}  // namespace

TEST_CASE("float32 products are one chain of FMAs, as the CPU's") {
  for (const int64_t rows : token_counts(kFloatTile)) check_float_product({rows, 37, 67});
  for (const Size& size : kOddSizes) check_float_product(size);
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
      worst =
          worse(worst, std::abs(y[static_cast<std::size_t>(r * weight.outputs + o)] - sum) / size);
    }
  return worst;
}

void check_bf16_product(const Size& size, int tile, bool truncates) {
  const Weight weight(size.outputs, size.inputs, WeightKind::kBf16, 7);
  const std::vector<float> x = random_floats(size.rows * size.inputs, 1);
  const DeviceArray<float> floats(x);
  std::vector<float> first;
  in_each_order(size.rows, [&] {
    DeviceArray<float> out(size.rows * size.outputs);
    ProductArgs args;
    args.in.floats = rows_at<const float>(floats.get(), size.rows, size.inputs);
    args.weight = weight.at();
    args.experts.rows = static_cast<int32_t>(size.rows);
    args.finish.out = rows_at<float>(out.get(), size.rows, size.outputs);
    INFO(size.rows, " x ", size.inputs, ", tile ", tile, ", cut off ", truncates);
    simt::options().truncates = truncates;
    launch(tile == 64 ? cuda::kernels::product_bf16_64 : cuda::kernels::product_bf16_32,
           product_shape(tile, size.rows, size.outputs, steps_of(size.inputs, 2) * kStepBytes),
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
    for (const int64_t rows : token_counts(tile))
      for (const bool truncates : {false, true}) {
        check_bf16_product({rows, 19, 67}, tile, truncates);
        if (rows <= 65) check_bf16_product({rows, 192, 67}, tile, truncates);
      }
  for (const int tile : {64, 32})
    for (const Size& size : kOddSizes)
      if (size.inputs > 1) check_bf16_product(size, tile, false);  // one term may be exact
}

}  // namespace shiftadd::test
