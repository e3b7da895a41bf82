// The int8 dot product against its twin, against plain integers, against the float product that
// training uses, and by every unit this machine has.
#include "core/cpu/int8.h"
#include "core/int8_matrix.h"
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

struct Tokens {
  Tokens(int64_t count, int64_t inputs)
      : x(count * inputs), scales(count), integers(count * inputs) {
    const Numbers values = normals(count * inputs, 1);
    reference_kernels<float>().quantize_tokens(
        {count, inputs, values.data(), scales.data(), integers.data(), nullptr, x.data()});
  }
  std::vector<int8_t> x;
  Numbers scales, integers;
};

Tensor latent(int64_t outputs, int64_t inputs) {
  Numbers w = normals(outputs * inputs, 2);
  for (int64_t i = 0; i < outputs * inputs; ++i)
    w[i] *= std::exp2(static_cast<float>(i / inputs % 5) - 3);
  return Tensor::from<float>(w, {outputs, inputs});
}

struct Problem {
  int64_t tokens, outputs, inputs;
  Tokens in;
  DotMatrix weight;
  Numbers bias, residual;

  Problem(int64_t m, int64_t n, int64_t k, bool shift)
      : tokens(m),
        outputs(n),
        inputs(k),
        in(m, k),
        weight(shift ? DotMatrix(shift_rows(latent(n, k))) : DotMatrix(int8_rows(latent(n, k)))),
        bias(normals(n, 3)),
        residual(normals(m * n, 4)) {}

  Int8GemmArgs<float> args(float* y) const {
    return {.tokens = tokens,
            .outputs = outputs,
            .inputs = inputs,
            .x = in.x.data(),
            .scales = in.scales.data(),
            .panels = weight.panels.data<uint8_t>(),
            .row_scales = weight.row_scales.data<float>(),
            .y = y};
  }
  // With everything that may follow the sums, and with none of it.
  Numbers run(const Int8Kernels<float>& kernels, bool gelu = false) const {
    Numbers plain(tokens * outputs), full(tokens * outputs);
    kernels.int8_gemm(args(plain.data()));
    Int8GemmArgs<float> all = args(full.data());
    all.bias = bias.data();
    all.residual = residual.data();
    if (gelu) all.activation = Activation::kGelu;
    kernels.int8_gemm(all);
    return join({plain, full});
  }
};

struct Unit {
  const char* name;
  const Int8Kernels<float>& kernels;
};

// Of each instruction set and of the units of AVX-512, as far as this machine has them.
std::vector<Unit> units() {
  std::vector<Unit> out;
  for (Isa isa : isas()) out.push_back({name_of(isa), int8_kernels(isa)});
  for (Int8Unit unit : {Int8Unit::kVnni, Int8Unit::kAmx})
    if (supported(unit)) out.push_back({name_of(unit), int8_kernels(unit)});
  return out;
}

TEST_CASE("kernels: int8_gemm") {
  for (int64_t tokens : {1, 3, 17, 43, 197})
    for (int64_t outputs : {1, 3, 17, 50, 197})
      for (int64_t inputs : {1, 3, 17, 64, 197})
        for (bool shift : {false, true}) {
          const Problem p(tokens, outputs, inputs, shift);
          const std::string what = concat("int8_gemm ", tokens, 'x', outputs, 'x', inputs);
          check_kernel(what, 1e-6, [&](const KernelTable<float>& k) { return p.run(k); });
          if (inputs == 17)
            check_kernel(what, 1e-5, [&](const KernelTable<float>& k) { return p.run(k, true); });
        }
}

TEST_CASE("int8_gemm: every unit gives the same bits") {
  for (int64_t tokens : {1, 3, 4, 5, 9, 11, 13, 17, 20, 29, 31, 32, 33, 65, 197})
    for (int64_t inputs : {1, 3, 17, 63, 65, 192, 197, 768}) {
      const Problem p(tokens, 35, inputs, tokens % 2 == 0);
      for (const Unit& unit : units()) {
        INFO(unit.name, ": ", tokens, " tokens, ", inputs, " inputs");
        // Nothing is rounded but a product by a scale with the bias, and the sum with the residual.
        CHECK(same_bits(p.run(unit.kernels), p.run(reference_kernels<float>())));
      }
    }
}

TEST_CASE("int8_gemm: sums at their extremes are exact") {
  constexpr int64_t kInputs = 1 << 16, kOutputs = 3;
  std::vector<int8_t> x(2 * kInputs, 127), w(kOutputs * kInputs, 127);
  std::fill_n(x.begin() + kInputs, kInputs, int8_t{-127});
  std::fill_n(w.begin() + kInputs, kInputs, int8_t{-127});
  for (int64_t j = 0; j < kInputs; j += 2) w[2 * kInputs + j] = -127;
  const DotMatrix matrix(
      {Tensor::from<int8_t>(w, {kOutputs, kInputs}), Tensor::full({kOutputs}, 1)});
  const Numbers ones = {1, 1};
  const auto most = static_cast<float>(127 * 127 * kInputs);
  for (const Unit& unit : units()) {
    INFO(unit.name);
    Numbers y(2 * kOutputs);
    unit.kernels.int8_gemm({.tokens = 2,
                            .outputs = kOutputs,
                            .inputs = kInputs,
                            .x = x.data(),
                            .scales = ones.data(),
                            .panels = matrix.panels.data<uint8_t>(),
                            .row_scales = matrix.row_scales.data<float>(),
                            .y = y.data()});
    CHECK(y == Numbers{most, -most, 0, -most, most, 0});
  }
}

TEST_CASE("int8_gemm: a layer whose sums could overflow is refused") {
  const Tensor wide({1, kMostDotInputs + 1}, DType::kI8);
  CHECK_THROWS_WITH_AS(DotMatrix({wide, Tensor::full({1}, 1)}),
                       doctest::Contains("65537 inputs: sums of int8 products are exact up to"),
                       Error);
}

TEST_CASE("int8_gemm: the bits of the training product") {
  for (int64_t inputs : {1, 17, 197, 768, 2064}) {  // 2064 * 127 * 64 < 2^24
    const int64_t tokens = 17, outputs = 35;
    const Problem p(tokens, outputs, inputs, true);
    const Tensor w = latent(outputs, inputs);
    Numbers powers(outputs * inputs);
    reference_kernels<float>().shift_quantize(
        {outputs, inputs, ShiftFormat::k4Bit, w.data<float>(), powers.data(), nullptr, nullptr});
    for (Isa isa : isas()) {
      INFO(name_of(isa), ", ", inputs, " inputs");
      Numbers expected(tokens * outputs), y(tokens * outputs);
      GemmArgs<float> gemm{tokens,        outputs, inputs, p.in.integers.data(), inputs, false,
                           powers.data(), inputs,  true,   expected.data(),      outputs};
      gemm.bias = p.bias.data();
      gemm.residual = p.residual.data();
      gemm.ldr = outputs;
      gemm.row_scale = p.in.scales.data();
      gemm.activation = Activation::kGelu;
      cpu_kernels(isa).gemm(gemm);
      Int8GemmArgs<float> args = p.args(y.data());
      args.bias = p.bias.data();
      args.residual = p.residual.data();
      args.activation = Activation::kGelu;
      cpu_kernels(isa).int8_gemm(args);
      CHECK(same_bits(y, expected));
    }
  }
}

TEST_CASE("int8_gemm: tokens by index") {
  const Problem p(40, 35, 65, true);
  std::vector<int32_t> rows;
  for (int32_t i = 0; i < 37; ++i) rows.push_back(i * 23 % 40);
  for (Isa isa : isas()) {
    INFO(name_of(isa));
    Numbers all(p.tokens * p.outputs), some(rows.size() * p.outputs);
    cpu_kernels(isa).int8_gemm(p.args(all.data()));
    Int8GemmArgs<float> args = p.args(some.data());
    args.tokens = static_cast<int64_t>(rows.size());
    args.rows = rows.data();
    cpu_kernels(isa).int8_gemm(args);
    int64_t wrong = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (int64_t r = 0; r < p.outputs; ++r)
        wrong += some[i * p.outputs + r] != all[rows[i] * p.outputs + r];
    CHECK(wrong == 0);
  }
}

TEST_CASE("kernels: int8_attention") {
  for (Codes codes : {Codes::kNone, Codes::kSign, Codes::kBipolar2})
    for (int64_t keys : {1, 3, 33, 197})
      for (int64_t d : {1, 17, 32, 64, 80})
        for (int64_t queries : {int64_t{1}, keys}) {
          const int64_t batch = 2, heads = 2, width = heads * d, row = 3 * width;
          const int64_t image = keys * row;
          const Numbers qkv = normals(batch * image, 1);
          const AttentionShape s = {batch, heads, queries, keys, d,     d,   image, row,
                                    d,     image, row,     d,    image, row, d,     queries * width,
                                    width, d};
          const double scale = 1 / std::sqrt(static_cast<double>(d));
          const bool coded = codes != Codes::kNone;
          const float *q = qkv.data(), *k = q + width, *v = k + width;
          Numbers exact(batch * queries * width);
          const Numbers temperature = {0.8f, 1.3f};
          ScoreArgs<float> scores = {.codes = codes, .scale = scale};
          if (coded) scores.temperature = temperature.data();
          if (coded)
            reference_kernels<float>().softmax_add(
                {s, scores, ValueFormat::kInt8, q, k, v, exact.data(), nullptr});
          else
            reference_kernels<float>().attention({s, scale, q, k, v, exact.data(), nullptr});
          // A probability may round the other way than the definition does: 1 / 16383 of it.
          check_kernel(
              concat("int8_attention ", static_cast<int>(codes), ' ', queries, 'x', keys, 'x', d),
              3e-4, [&](const KernelTable<float>& kernels) {
                Numbers out(batch * queries * width);
                kernels.int8_attention({s, scores, q, k, v, out.data()});
                // int8 rows of q and k move a logit by about 1 %.
                check_near(out, exact, coded ? 1e-3 : 3e-2, "float softmax");
                return out;
              });
        }
}

TEST_CASE("int8 attention: every unit gives the same sums") {
  const int64_t keys = 197, d = 64, width = 3 * d;
  const Numbers qkv = normals(keys * 3 * width, 1);
  const AttentionShape s = {1, 3,         keys, keys, d,         d, 0, 3 * width, d,
                            0, 3 * width, d,    0,    3 * width, d, 0, width,     d};
  const float *q = qkv.data(), *k = q + width, *v = k + width;
  Numbers first;
  for (const Unit& unit : units()) {
    INFO(unit.name);
    Numbers dots(keys * width), softmax(keys * width), signs(keys * width), levels(keys * width),
        window(keys * width);
    LinearAngularArgs<float> linear{};
    linear.shape = s;
    linear.codes = Codes::kSign;
    linear.value = ValueFormat::kInt8;
    linear.q = q, linear.k = k, linear.v = v;
    linear.out = dots.data();
    unit.kernels.dot_attention(linear);
    const auto attend = [&](Codes codes, Numbers& out) {
      const ScoreArgs<float> scores = {.codes = codes, .scale = 0.125};
      unit.kernels.int8_attention({s, scores, q, k, v, out.data()});
    };
    attend(Codes::kNone, softmax);
    attend(Codes::kSign, signs);
    attend(Codes::kBipolar2, levels);
    unit.kernels.dot_window_attention({s,
                                       {.codes = Codes::kBipolar2, .scale = 0.125},
                                       ValueFormat::kInt8,
                                       {14, 14, 1},
                                       q,
                                       k,
                                       v,
                                       window.data()});
    const Numbers all = join({dots, softmax, signs, levels, window});
    if (first.empty()) first = all;
    CHECK(same_bits(all, first));
  }
}

TEST_CASE("expand_nibbles: the codes, and zeros around them") {
  for (int64_t outputs : {1, 16, 33, 50})
    for (int64_t inputs : {1, 7, 64, 129, 200}) {
      const Tensor w = latent(outputs, inputs);
      const ShiftIntegers integers = shift_integers(w);
      const ShiftRows stored = shift_rows(w);
      // What plain int8 weights of the same codes give.
      const DotMatrix expected(
          {Tensor::from<int8_t>(integers.values, {outputs, inputs}), Tensor::full({outputs}, 1)});
      for (Isa isa : isas()) {
        INFO(name_of(isa), ": ", outputs, " x ", inputs);
        const Tensor panels({dot_bytes(outputs, inputs)}, DType::kU8);
        cpu_kernels(isa).expand_nibbles(
            {outputs, inputs, stored.nibbles.data<uint8_t>(), panels.data<uint8_t>()});
        CHECK(std::memcmp(panels.data<uint8_t>(), expected.panels.data<uint8_t>(),
                          dot_bytes(outputs, inputs)) == 0);
      }
    }
}

}  // namespace
}  // namespace shiftadd::test
