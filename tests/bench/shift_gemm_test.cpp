// The integer Shift product against its twin, against plain integers, and against the float product
// that training uses.
#include "tests/ops/kernels_test.h"
#include "tools/bench/kernels/kernels.h"

namespace shiftadd::test {
namespace {

using tools::BenchKernels, tools::bench_kernels, tools::PackedShift, tools::pack_shift;

// int8 tokens, packed weights, and the float operands that training multiplies.
struct Problem {
  int64_t tokens, outputs, inputs;
  std::vector<int8_t> x;
  Numbers integers, scales, weight, bias, residual;
  std::vector<int8_t> codes;
  PackedShift packed;

  Problem(int64_t m, int64_t n, int64_t k)
      : tokens(m),
        outputs(n),
        inputs(k),
        x(m * k),
        integers(m * k),
        scales(m),
        weight(n * k),
        bias(normals(n, 3)),
        residual(normals(m * n, 4)),
        codes(n * k) {
    const Numbers activations = normals(m * k, 1);
    Numbers latent = normals(n * k, 2);
    for (int64_t i = 0; i < n * k; ++i) latent[i] *= std::exp2(static_cast<float>(i / k % 5) - 3);
    const KernelTable<float>& kernels = reference_kernels<float>();
    kernels.quantize_tokens(
        {m, k, activations.data(), scales.data(), integers.data(), nullptr, x.data()});
    kernels.shift_quantize(
        {n, k, ShiftFormat::k4Bit, latent.data(), weight.data(), codes.data(), nullptr});
    packed = pack_shift(Tensor::from<float>(latent, {n, k}));
  }

  Numbers shift_gemm(const BenchKernels& kernels, bool plain = false) const {
    Numbers y(tokens * outputs);
    const Numbers ones(tokens, 1.f);
    kernels.shift_gemm({tokens, outputs, inputs, x.data(), plain ? ones.data() : scales.data(),
                        packed.codes.data<uint8_t>(), packed.exponents.data<int32_t>(),
                        plain ? nullptr : bias.data(), plain ? nullptr : residual.data(),
                        y.data()});
    return y;
  }

  // What shift_linear computes.
  Numbers gemm(const KernelTable<float>& kernels) const {
    Numbers y(tokens * outputs);
    GemmArgs<float> args{tokens,        outputs, inputs, integers.data(), inputs, false,
                         weight.data(), inputs,  true,   y.data(),        outputs};
    args.bias = bias.data();
    args.residual = residual.data();
    args.ldr = outputs;
    args.row_scale = scales.data();
    kernels.gemm(args);
    return y;
  }
};

TEST_CASE("kernels: shift_gemm") {
  for (int64_t tokens : {1, 3, 17, 197})
    for (int64_t outputs : {1, 3, 17, 197})
      for (int64_t inputs : {1, 3, 17, 197}) {
        const Problem p(tokens, outputs, inputs);
        check_kernel(tools::reference_bench_kernels(), bench_kernels,
                     concat("shift_gemm ", tokens, 'x', outputs, 'x', inputs), 1e-6,
                     [&](const BenchKernels& kernels) {
                       return join({p.shift_gemm(kernels), p.shift_gemm(kernels, true)});
                     });
      }
}

TEST_CASE(
    "shift_gemm: its sums are the integers' own, and it has the bits of the training product") {
  for (int64_t inputs : {1, 17, 197, 768, 2064}) {  // 2064 * 127 * 64 < 2^24
    const Problem p(17, 35, inputs);
    for (Isa isa : isas()) {
      INFO(name_of(isa), ", ", inputs, " inputs");
      const Numbers sums = p.shift_gemm(bench_kernels(isa), true);
      int64_t wrong = 0;
      for (int64_t i = 0; i < p.tokens; ++i)
        for (int64_t r = 0; r < p.outputs; ++r) {
          int64_t sum = 0;
          for (int64_t j = 0; j < inputs; ++j)
            sum += int64_t{p.x[i * inputs + j]} * p.codes[r * inputs + j];
          const double expected = std::ldexp(static_cast<double>(sum),
                                             p.packed.exponents.data<int32_t>()[r] - kShiftRange);
          wrong += sums[i * p.outputs + r] != expected;
        }
      CHECK(wrong == 0);
      CHECK(same_bits(p.shift_gemm(bench_kernels(isa)), p.gemm(cpu_kernels(isa))));
    }
  }
}

TEST_CASE("shift_gemm: within one rounding of the dequantised product") {
  // |y - y'| <= 2 k eps sum |q scale W| for any order of a float sum of k products.
  const Problem p(17, 35, 768);
  const Numbers y = p.shift_gemm(bench_kernels());
  for (int64_t i = 0; i < p.tokens; ++i)
    for (int64_t r = 0; r < p.outputs; ++r) {
      double sum = 0, size = 0;
      for (int64_t j = 0; j < p.inputs; ++j) {
        const double term = static_cast<double>(p.integers[i * p.inputs + j]) * p.scales[i] *
                            p.weight[r * p.inputs + j];
        sum += term;
        size += std::abs(term);
      }
      const int64_t at = i * p.outputs + r;
      const double expected = sum + p.bias[r] + p.residual[at];
      size += std::abs(p.bias[r]) + std::abs(p.residual[at]);
      CHECK(std::abs(y[at] - expected) <= 3 * 0x1p-24 * size);
    }
}

TEST_CASE("pack_shift: what cannot be packed") {
  const auto text = [](const Tensor& weight) -> std::string {
    try {
      pack_shift(weight);
    } catch (const Error& error) {
      return error.what();
    }
    return "packed";
  };
  CHECK(text(Tensor::zeros({3, 5, 2})) ==
        "[shift_integers] weight is f32(3, 5, 2): expected an f32 matrix");
  CHECK(text(Tensor::zeros({3, 5}, DType::kF64)) ==
        "[shift_integers] weight is f64(3, 5): expected an f32 matrix");
  CHECK(text(Tensor::from<float>({1, INFINITY}, {1, 2})) ==
        "[shift_integers] weight (1, 2) holds inf: expected finite numbers");
  CHECK(text(Tensor::zeros({1, (1 << 18) + 1})) ==
        "[shift_integers] weight is (1, 262145): expected at most 262144 inputs");
  CHECK(text(Tensor::zeros({3, 5})) == "packed");
}

}  // namespace
}  // namespace shiftadd::test
