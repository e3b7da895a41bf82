// shift_linear, shift_linear_ps, quantize_tokens: golden values, declared surrogate gradients, the
// integer kernel's bits, threads, errors.
#include <numbers>

#include "core/int8_matrix.h"
#include "tests/ops/kernels_test.h"
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using namespace autograd;

namespace {

ShiftLinearOptions options_of(const nlohmann::json& attributes) {
  ShiftLinearOptions options;
  options.format = attributes.at("format").get<std::string>() == "4bit" ? ShiftFormat::k4Bit
                                                                        : ShiftFormat::k5Bit;
  options.int8_activations = attributes.value("activations", "none") == "int8";
  if (attributes.contains("exponent_min")) {
    CHECK(attributes.at("exponent_min").get<int>() == kShiftLeast);
    CHECK(attributes.at("exponent_max").get<int>() == kShiftMost);
  }
  return options;
}

// W as a leaf, made by the layer itself from an identity.
Variable weight_of(const std::function<Variable(const Variable&)>& layer, int64_t in) {
  const Tensor identity = Tensor::zeros({in, in});
  for (int64_t i = 0; i < in; ++i) identity.data<float>()[i * in + i] = 1;
  const NoGradGuard guard;
  const Variable columns = layer(Variable(identity));  // (in, out)
  return Variable(transpose_last(columns).value().clone(), true);
}

Variable latent_weight(Shape shape, uint64_t seed) {
  const Variable w = variable(std::move(shape), seed);
  for (float& x : w.value().span<float>()) x *= 0.3f;
  return w;
}

Tensor cotangent(const Variable& y) { return random_normal(y.shape(), 77).to(DType::kF32); }

// Products of the layer and of the same layer with W, quantised x and gelu spelled out.
void check_surrogate(const ShiftLinearOptions& options) {
  INFO("4bit ", options.format == ShiftFormat::k4Bit, ", int8 ", options.int8_activations,
       ", gelu ", options.input == Activation::kGelu);
  const Variable x = variable({3, 5, 17}), w = latent_weight({7, 17}, 2), b = variable({7}, 3),
                 r = variable({3, 5, 7}, 4);
  const Variable y = shift_linear(x, w, b, options, r);
  y.backward(cotangent(y));

  const Variable x2 = variable({3, 5, 17}), b2 = variable({7}, 3), r2 = variable({3, 5, 7}, 4);
  const Variable w2 = weight_of(
      [&](const Variable& in) {
        return shift_linear(in, w, {}, {options.format, false, Activation::kNone});
      },
      17);
  Variable in = options.input == Activation::kGelu ? gelu(x2) : x2;
  if (options.int8_activations) in = quantize_tokens(in);
  const Variable y2 = linear(in, w2, b2, r2);
  y2.backward(cotangent(y2));
  check_close(y.value(), y2.value(), 1e-6, "y");
  check_close(x.grad(), x2.grad(), 1e-6, "dx");
  check_close(w.grad(), w2.grad(), 1e-6, "dw: d/dW");
  check_close(b.grad(), b2.grad(), 1e-6, "db");
  CHECK(values(r.grad()) == values(r2.grad()));
}

}  // namespace

TEST_CASE("shift_linear: golden") {
  for (const std::string& name : golden_cases("shift_linear_")) {
    GoldenCase golden(name);
    const ShiftLinearOptions options = options_of(golden.attributes());
    const Variable x = golden.leaf("x"), bias = golden.leaf("bias");
    if (golden.attributes().at("form") == "ps")
      golden.check(shift_linear_ps(x, golden.leaf("shift"), golden.leaf("sign"), bias, options));
    else
      golden.check(shift_linear(x, golden.leaf("w"), bias, options));
  }
}

TEST_CASE("shift_linear: the declared surrogate, d/dw = d/dW") {
  for (ShiftFormat format : {ShiftFormat::k4Bit, ShiftFormat::k5Bit})
    for (bool int8 : {false, true})
      for (Activation input : {Activation::kNone, Activation::kGelu})
        check_surrogate({format, int8, input});
}

TEST_CASE("shift_linear_ps: the declared surrogate, d/dshift = d/dW W ln 2, d/dsign = d/dW") {
  for (bool int8 : {false, true}) {
    const ShiftLinearOptions options{ShiftFormat::k5Bit, int8, Activation::kNone};
    const Variable x = variable({5, 17}), sign = variable({7, 17}, 3), b = variable({7}, 4);
    const Variable shift(scale(variable({7, 17}, 2), 6).value().clone(), true);
    const Variable y = shift_linear_ps(x, shift, sign, b, options);
    y.backward(cotangent(y));
    const Variable x2 = variable({5, 17}), b2 = variable({7}, 4);
    const Variable w2 = weight_of(
        [&](const Variable& in) {
          return shift_linear_ps(in, shift, sign, {}, {ShiftFormat::k5Bit});
        },
        17);
    const Variable y2 = linear(int8 ? quantize_tokens(x2) : x2, w2, b2);
    y2.backward(cotangent(y2));
    check_close(y.value(), y2.value(), 1e-6, "y");
    check_close(x.grad(), x2.grad(), 1e-6, "dx");
    check_close(b.grad(), b2.grad(), 1e-6, "db");
    check_close(sign.grad(), w2.grad(), 1e-6, "dsign");
    const NoGradGuard guard;
    const Variable expected = scale(multiply(Variable(w2.grad()), w2), std::numbers::ln2);
    check_close(shift.grad(), expected.value(), 1e-6, "dshift");
  }
}

TEST_CASE("quantize_tokens: 127 levels of each token, straight through") {
  const Variable x = variable({3, 5, 17});
  const Variable y = quantize_tokens(x);
  const Tensor dy = cotangent(y);
  y.backward(dy);
  CHECK(values(x.grad()) == values(dy));
  for (int64_t t = 0; t < 15; ++t) {
    const float *in = x.value().data<float>() + t * 17, *out = y.value().data<float>() + t * 17;
    float largest = 0;
    for (int j = 0; j < 17; ++j) largest = std::max(largest, std::abs(in[j]));
    for (int j = 0; j < 17; ++j) CHECK(std::abs(in[j] - out[j]) <= largest / 127 * 0.5001f);
  }
}

TEST_CASE("shift_linear: the training forward has the integer kernel's bits") {
  const int64_t tokens = 17, in = 197, out = 35;
  const Variable x = variable({tokens, in}), w = latent_weight({out, in}, 2),
                 b = variable({out}, 3);
  const Variable y = shift_linear(x, w, b, {ShiftFormat::k4Bit, true, Activation::kNone});
  const DotMatrix packed(shift_rows(w.value()));
  std::vector<int8_t> codes(tokens * in);
  Numbers scales(tokens), deployed(tokens * out);
  cpu_kernels().quantize_tokens(
      {tokens, in, x.value().data<float>(), scales.data(), nullptr, nullptr, codes.data()});
  cpu_kernels().int8_gemm({.tokens = tokens,
                           .outputs = out,
                           .inputs = in,
                           .x = codes.data(),
                           .scales = scales.data(),
                           .panels = packed.panels.data<uint8_t>(),
                           .row_scales = packed.row_scales.data<float>(),
                           .bias = b.value().data<float>(),
                           .y = deployed.data()});
  CHECK(same_bits(values(y.value()), deployed));
}

TEST_CASE("shift_linear: 1 and 2 threads give the same bits") {
  const auto run = [](int threads) {
    const Threads set(threads);
    const Variable x = variable({197, 48}), w = latent_weight({144, 48}, 2), b = variable({144}, 3);
    const Variable y = shift_linear(x, w, b, {ShiftFormat::k4Bit, true, Activation::kNone});
    y.backward(cotangent(y));
    return join({values(y.value()), values(x.grad()), values(w.grad()), values(b.grad())});
  };
  CHECK(same_bits(run(1), run(2)));
}

TEST_CASE("shift_linear: frozen weights, accumulation, float64") {
  const ShiftLinearOptions options{ShiftFormat::k4Bit, true, Activation::kNone};
  Variable x = variable({3, 5}), w = latent_weight({7, 5}, 2);
  const Variable b = variable({7}, 3);
  const auto pass = [&] {
    const Variable y = shift_linear(x, w, b, options);
    y.backward(cotangent(y));
  };
  pass();
  const Tensor once = w.grad().clone();
  pass();
  check_close(w.grad(), scale(Variable(once), 2).value(), 1e-6, "two passes");
  const std::vector<float> dx = values(x.grad());
  w.zero_grad();
  w.set_requires_grad(false);
  pass();
  for (float g : values(w.grad())) CHECK(g == 0);
  CHECK(values(x.grad())[0] == doctest::Approx(1.5 * dx[0]));

  const Variable wide = shift_linear(Variable(x.value().to(DType::kF64)),
                                     Variable(w.value().to(DType::kF64)), {}, options);
  check_close(shift_linear(x, w, {}, options).value(), wide.value().to(DType::kF32), 1e-6, "f64");
  // No token at all.
  const Variable none = shift_linear(variable({0, 5}), w, b, options);
  CHECK(none.shape() == Shape{0, 7});
}

TEST_CASE("shift_linear: of int8 activations the int8 is kept, not the input") {
  const auto handles = [](const ShiftLinearOptions& options) {
    const Variable x = variable({3, 5}), w = latent_weight({7, 5}, 2);
    const Variable y = shift_linear(x, w, {}, options);
    return x.value().use_count();
  };
  CHECK(handles({ShiftFormat::k4Bit, true, Activation::kNone}) == 1);
  CHECK(handles({ShiftFormat::k4Bit, false, Activation::kNone}) == 2);
  CHECK(handles({ShiftFormat::k4Bit, true, Activation::kGelu}) == 2);  // gelu's backward reads it
}

TEST_CASE("shift_linear: errors") {
  const Variable x = variable({8, 197, 192});
  const ShiftLinearOptions four, five{ShiftFormat::k5Bit};
  check_error(
      [&] {
        shift_linear(x, variable({384, 96}), {}, four);
      },
      "[shift_linear] weight is (384, 96), input is (8, 197, 192): expected last dimension 96");
  check_error(
      [&] {
        shift_linear_ps(x, variable({7, 192}), variable({7, 192}), {}, four);
      },
      "[shift_linear_ps] format is 4bit, whose row exponents come from one latent weight: "
      "expected 5bit, or form q");
  check_error(
      [&] {
        shift_linear_ps(x, variable({7, 192}), variable({7, 191}), {}, five);
      },
      "[shift_linear_ps] sign is (7, 191): expected (7, 192)");
  check_error(
      [&] {
        shift_linear(variable({3, 0}), variable({7, 0}), {}, four);
      },
      "[shift_linear] weight is (7, 0): expected at least one input");
  check_error(
      [&] {
        quantize_tokens(variable({3, 0}));
      },
      "[quantize_tokens] input is (3, 0): expected at least one channel");
}

}  // namespace shiftadd::test
