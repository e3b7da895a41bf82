// Products of bf16 operands: each unit, and the emulation of each instruction set, against the
// reference, which rounds the operands alike.
#include <functional>

#include "core/cpu/bf16.h"
#include "core/cpu/packed_gemm.h"
#include "core/cpu/targets.h"
#include "tests/ops/gemm_operands.h"
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {
namespace {

using Product = std::function<void(const GemmArgs<float>&)>;
struct Multiplier {
  std::string name;
  Product gemm;
};

// Every way in which this machine can multiply, and what it chooses itself.
std::vector<Multiplier> multipliers() {
  std::vector<Multiplier> out;
  for (Isa isa : isas()) {
    out.push_back({concat("emulated on ", name_of(isa)),
                   [isa](const GemmArgs<float>& g) { gemm_rounded(isa, g); }});
    out.push_back({concat("the table of ", name_of(isa)), cpu_kernels(isa).gemm});
  }
  for (Bf16Unit unit : {Bf16Unit::kAvx512, Bf16Unit::kAmx})
    if (supported(unit))
      out.push_back({concat("the unit ", name_of(unit)), product_kernels(unit).gemm});
  return out;
}

/// Each of them near the reference, and with the same bits for 1 and 2 threads.
void check_product(const std::string& what, double tolerance,
                   const std::function<Numbers(const Product&)>& run) {
  const Numbers expected = run(reference_kernels<float>().gemm);
  for (const Multiplier& each : multipliers()) {
    Numbers actual[2];
    for (int threads : {1, 2}) {
      Threads set(threads);
      actual[threads - 1] = run(each.gemm);
    }
    check_near(actual[0], expected, tolerance, concat(what, ", ", each.name));
    INFO(what, ", ", each.name, ": 1 and 2 threads");
    CHECK(same_bits(actual[0], actual[1]));
  }
}

struct Bf16Operands : Operands {
  Bf16Operands(int64_t m, int64_t n, int64_t k, Form form) : Operands(m, n, k, form) {
    args.bf16 = true;
  }
};

TEST_CASE("bf16: rounding is to the nearest, half to even") {
  CHECK(round_to_bf16(1 + 0x1p-8f) == 1);                // a tie: the even neighbour is below
  CHECK(round_to_bf16(1 + 3 * 0x1p-8f) == 1 + 0x1p-6f);  // a tie: above
  CHECK(round_to_bf16(-1 - 0x1.1p-8f) == -1 - 0x1p-7f);  // nearer to the one farther out
  CHECK(round_to_bf16(255) == 255);
  CHECK(round_to_bf16(257) == 256);
  CHECK(std::isinf(round_to_bf16(INFINITY)));
  CHECK(std::isnan(round_to_bf16(std::nanf(""))));
}

TEST_CASE("bf16: products in all forms and odd sizes") {
  for (int64_t m : {1, 3, 17, 197})
    for (int64_t n : {1, 3, 17, 65})
      for (int64_t k : {1, 17, 33, 197})
        for (Form form : kForms)
          check_product(concat("gemm ", m, 'x', n, 'x', k, ' ', form.transpose_a, form.transpose_b),
                        tolerance(k), [&](const Product& gemm) {
                          Bf16Operands x(m, n, k, form);
                          gemm(x.args);
                          return x.c;
                        });
}

TEST_CASE("bf16: a packed weight gives the bits of the product for any number of rows") {
  for (Bf16Unit unit : {Bf16Unit::kAvx512, Bf16Unit::kAmx}) {
    if (!supported(unit)) continue;
    for (int64_t m : {1, 3, 17, 197})
      for (int64_t n : {1, 17, 83})
        for (int64_t k : {1, 31, 40, 197}) {
          Bf16Operands x(m, n, k, {false, true});
          x.args.bias = x.bias.data();
          x.args.activation = Activation::kGelu;
          x.args.residual = x.residual.data();
          x.args.ldr = n + 1;
          Numbers packed_c = x.c;
          cpu_kernels(Isa::kAvx512).gemm(x.args);
          const PackedMatrix weight(x.b.data(), n, k, x.args.ldb, Isa::kAvx512, unit);
          gemm_packed(x.a.data(), x.args.lda, m, weight, packed_c.data(), x.args.ldc, x.bias.data(),
                      Activation::kGelu, x.residual.data(), n + 1);
          INFO(name_of(unit), ": ", m, " x ", n, " x ", k);
          if (unit == bf16_unit())
            CHECK(same_bits(packed_c, x.c));
          else
            check_near(packed_c, x.c, 1e-5, "packed");
        }
  }
}

TEST_CASE("bf16: products really round") {
  Bf16Operands exact(17, 33, 65, {false, true}), coarse(17, 33, 65, {false, true});
  exact.args.bf16 = false;
  reference_kernels<float>().gemm(exact.args);
  reference_kernels<float>().gemm(coarse.args);
  double worst = 0;
  for (std::size_t i = 0; i < exact.c.size(); ++i)
    worst = std::max<double>(worst, std::abs(exact.c[i] - coarse.c[i]));
  CHECK(worst > 1e-2);
  CHECK(worst < 0.2);
}

TEST_CASE("bf16: row scale, bias, gelu and residual") {
  for (bool scale : {false, true})
    for (bool bias : {false, true})
      for (bool gelu : {false, true})
        for (int residual : {0, 1, 2})  // none, another matrix, c itself
          check_product(concat("epilogue ", scale, bias, gelu, residual), 1e-5,
                        [&](const Product& gemm) {
                          Bf16Operands x(99, 83, 40, {false, true});
                          if (scale) x.args.row_scale = x.scale.data();
                          if (bias) x.args.bias = x.bias.data();
                          if (gelu) x.args.activation = Activation::kGelu;
                          if (residual)
                            x.args.residual = residual == 1 ? x.residual.data() : x.c.data();
                          x.args.ldr = residual == 1 ? 84 : x.args.ldc;
                          gemm(x.args);
                          return x.c;
                        });
}

TEST_CASE("bf16: products accumulate over a tall k") {
  for (Form form : kForms)
    for (int64_t k : {0, 17, 512, 513, 1100})
      check_product(concat("accumulate k=", k), tolerance(k), [&](const Product& gemm) {
        Bf16Operands x(35, 67, k, form);
        x.args.accumulate = true;
        gemm(x.args);
        return x.c;
      });
}

TEST_CASE("bf16: an element does not depend on the rows and columns beside it") {
  for (const Multiplier& each : multipliers())
    check_elements_alone<Bf16Operands>(each.name, each.gemm);
}

TEST_CASE("bf16: infinities and NaN stay in their rows") {
  for (const Multiplier& each : multipliers()) {
    Bf16Operands x(37, 33, 9, {false, true});
    x.a[2 * x.args.lda] = std::nanf("");
    each.gemm(x.args);
    for (int64_t i = 0; i < 37; ++i)
      for (int64_t j = 0; j < 33; ++j) CHECK(std::isnan(x.c[i * x.args.ldc + j]) == (i == 2));
  }
}

// Whole numbers up to 127 and powers of two are bf16 numbers, and sums below 2^24 are exact in any
// order: a Shift layer on int8 activations loses nothing.
TEST_CASE("bf16: int8 by powers of two is the float product, bit for bit") {
  for (const Multiplier& each : multipliers()) {
    Bf16Operands x(67, 45, 197, {false, true});
    const RandomStream random(3, 9);
    for (std::size_t i = 0; i < x.a.size(); ++i)
      x.a[i] = static_cast<float>(static_cast<int>(255 * random.uniform(i)) - 127);
    for (std::size_t i = 0; i < x.b.size(); ++i)
      x.b[i] = std::ldexp(x.b[i] < 0 ? -1.f : 1.f, -static_cast<int>(7 * random.uniform(i)));
    x.args.row_scale = x.scale.data();
    x.args.bias = x.bias.data();
    Numbers c = x.c;
    GemmArgs<float> as_float = x.args;
    as_float.bf16 = false;
    as_float.c = c.data();
    each.gemm(x.args);
    cpu_kernels(Isa::kAvx2 <= isas().back() ? isas().back() : Isa::kGeneric).gemm(as_float);
    INFO(each.name);
    if (each.name.find("generic") == std::string::npos &&
        each.name.find("avx2") == std::string::npos)
      CHECK(same_bits(x.c, c));
    else
      check_near(x.c, c, 1e-6, each.name);  // another epilogue
  }
}

TEST_CASE("bf16: gelu of the operands, the operand's sums, and gelu's slope in the epilogue") {
  for (Form form : kForms)
    for (bool of_a : {false, true})
      check_product(concat("gelu of ", of_a ? "a" : "b"), 1e-5, [&](const Product& gemm) {
        Bf16Operands x(39, 67, 45, form);
        // An operand on whose gelu two definitions agree after rounding: far from any tie.
        for (Numbers* numbers : {&x.a, &x.b})
          for (float& each : *numbers) each = each < 0 ? -8 : std::nearbyint(each) + 7;
        (of_a ? x.args.a_activation : x.args.b_activation) = Activation::kGelu;
        gemm(x.args);
        return x.c;
      });
  for (bool transpose_b : {false, true})
    check_product("sums of a", 1e-5, [&](const Product& gemm) {
      Bf16Operands x(39, 67, 1100, {true, transpose_b});
      Numbers sums(39, 2.f);
      x.args.accumulate = true;
      x.args.a_sums = sums.data();
      gemm(x.args);
      return sums;
    });
  const Numbers at = normals(39 * 69, 8);
  const auto slope = [&](bool bf16) {
    return [&at, bf16](const Product& gemm) {
      Bf16Operands x(39, 67, 45, {false, false});
      x.args.gelu_input = at.data();
      x.args.bf16 = bf16;
      gemm(x.args);
      return x.c;
    };
  };
  check_product("slope of gelu", 1e-5, slope(true));
  check_kernel("slope of gelu in float32", 1e-5,
               [&](const KernelTable<float>& kernels) { return slope(false)(kernels.gemm); });
}

TEST_CASE("bf16: results that are written past the caches") {
  check_product("4.5 MiB", 1e-5, [](const Product& gemm) {
    Bf16Operands x(2051, 577, 3, {false, true});
    const Tensor c({2051, 592}), residual = Tensor::full({2051, 592}, 1);
    x.args.c = c.data<float>();
    x.args.ldc = x.args.ldr = 592;
    x.args.residual = residual.data<float>();
    c.fill(0);
    gemm(x.args);
    return Numbers(c.data<float>(), c.data<float>() + c.numel());
  });
}

TEST_CASE("bf16: convolution") {
  Conv2dShape shape{3, 3, 8, 8, 17, 4, 4, 4, 0};
  shape.bf16 = true;
  for (bool tokens : {false, true}) {
    shape.tokens = tokens;
    const Numbers x = normals(3 * 3 * 64, 1), w = normals(17 * 48, 2), bias = normals(17, 3);
    check_kernel(
        "conv2d bf16", 1e-5,
        [&](const KernelTable<float>& kernels) {
          Numbers y(3 * 17 * 4), dx(x.size()), dw(w.size(), 1.f), db(17, 1.f);
          kernels.conv2d({shape, x.data(), w.data(), bias.data(), y.data()});
          kernels.conv2d_backward(
              {shape, x.data(), w.data(), y.data(), dx.data(), dw.data(), db.data()});
          return join({y, dx, dw, db});
        },
        true);
  }
}

}  // namespace
}  // namespace shiftadd::test
