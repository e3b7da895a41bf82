// The matrix product of bf16 operands on an instruction set: by a unit, or by rounded copies.
#include <algorithm>

#include "core/cpu/kernels.h"
#include "core/cpu/scratch.h"
#include "core/cpu/targets.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

constexpr int64_t kRows = 64;  // of a task

// A copy of (rows, columns) numbers, leading dimension `columns`.
float* copied(const float* x, int64_t ld, int64_t rows, int64_t columns, Scratch slot) {
  float* const out = scratch(slot, rows * columns);
  parallel_chunks(rows, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      std::copy_n(x + row * ld, columns, out + row * columns);
  });
  return out;
}

void activate_and_round(Isa isa, Activation activation, int64_t n, float* x) {
  if (activation == Activation::kGelu) cpu_kernels(isa).gelu({n, x, x});
  parallel_chunks(n, kRows * 256, [&](int64_t begin, int64_t end) {
    std::transform(x + begin, x + end, x + begin, round_to_bf16);
  });
}

}  // namespace

void gemm_rounded(Isa isa, const GemmArgs<float>& args) {
  GemmArgs<float> g = args;
  g.bf16 = false;
  g.lda = g.transpose_a ? g.m : g.k;
  g.ldb = g.transpose_b ? g.k : g.n;
  float* const a = copied(args.a, args.lda, g.transpose_a ? g.k : g.m, g.lda, Scratch::kRoundA);
  float* const b = copied(args.b, args.ldb, g.transpose_b ? g.n : g.k, g.ldb, Scratch::kRoundB);
  if (g.a_sums) cpu_kernels(isa).column_sum({g.k, g.m, a, g.a_sums});
  activate_and_round(isa, g.a_activation, g.m * g.k, a);
  activate_and_round(isa, g.b_activation, g.n * g.k, b);
  g.a = a;
  g.b = b;
  cpu_kernels(isa).gemm(g);
}

void gemm_bf16(Isa isa, const GemmArgs<float>& args) {
  const Bf16Unit unit = isa == Isa::kAvx512 ? bf16_unit() : Bf16Unit::kNone;
  if (unit == Bf16Unit::kNone)
    gemm_rounded(isa, args);
  else
    product_kernels(unit).gemm(args);
}

}  // namespace shiftadd
