// The matrix product of one instruction set for either kind of operands.
#include <algorithm>

#include "core/cpu/bf16.h"
#include "core/cpu/gemm.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

// A copy of (rows, columns) numbers rounded to bf16, leading dimension `columns`.
const float* rounded(const float* x, int64_t ld, int64_t rows, int64_t columns, Scratch slot) {
  constexpr int64_t kRows = 64;  // of a task
  float* const out = scratch(slot, rows * columns);
  parallel_chunks(rows, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      std::transform(x + row * ld, x + row * ld + columns, out + row * columns, round_to_bf16);
  });
  return out;
}

}  // namespace

void gemm_rounded(Isa isa, const GemmArgs<float>& args) {
  GemmArgs<float> g = args;
  g.bf16 = false;
  g.lda = g.transpose_a ? g.m : g.k;
  g.ldb = g.transpose_b ? g.k : g.n;
  g.a = rounded(args.a, args.lda, g.transpose_a ? g.k : g.m, g.lda, Scratch::kRoundA);
  g.b = rounded(args.b, args.ldb, g.transpose_b ? g.n : g.k, g.ldb, Scratch::kRoundB);
  gemm_functions(isa).gemm(g);
}

void multiply(Isa isa, const GemmArgs<float>& args) {
  if (!args.bf16) return gemm_functions(isa).gemm(args);
#if defined(__x86_64__)
  const Bf16Unit unit = isa == Isa::kAvx512 ? bf16_unit() : Bf16Unit::kNone;
  if (unit == Bf16Unit::kAmx) return gemm_amx(args);
  if (unit == Bf16Unit::kAvx512) return gemm_avx512bf16(args);
#endif
  gemm_rounded(isa, args);
}

}  // namespace shiftadd
