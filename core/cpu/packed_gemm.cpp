// Weights packed once, and the choice of matrix product by instruction set.
#include "core/cpu/packed_gemm.h"

#include "core/cpu/gemm.h"

namespace shiftadd {

const GemmFunctions& gemm_functions(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return gemm_functions_avx512();
  if (isa == Isa::kAvx2) return gemm_functions_avx2();
#endif
  (void)isa;
  return gemm_functions_generic();
}

PackedMatrix::PackedMatrix(const float* weight, int64_t n, int64_t k, int64_t ldw, Isa isa,
                           Bf16Unit unit)
    : n_(n), k_(k), isa_(isa), unit_(unit) {
  if (ldw == 0) ldw = k;
#if defined(__x86_64__)
  if (unit != Bf16Unit::kNone) {
    storage_ = Tensor({packed_size_bf16(n, k)});
    pack_bf16(weight, ldw, n, k, storage_.data<float>());
    return;
  }
#endif
  const GemmFunctions& functions = gemm_functions(isa);
  storage_ = Tensor({functions.packed_size(n, k)});
  functions.pack(weight, ldw, n, k, storage_.data<float>());
}

void gemm_packed(const float* a, int64_t lda, int64_t m, const PackedMatrix& b, float* c,
                 int64_t ldc, const float* bias, Activation act, const float* residual, int64_t ldr,
                 const float* row_scale) {
  GemmArgs<float> args{};
  args.m = m;
  args.n = b.n();
  args.k = b.k();
  args.a = a;
  args.lda = lda;
  args.b = b.data();
  args.c = c;
  args.ldc = ldc;
  args.bias = bias;
  args.activation = act;
  args.residual = residual;
  args.ldr = ldr;
  args.row_scale = row_scale;
#if defined(__x86_64__)
  if (b.unit() == Bf16Unit::kAmx) return gemm_packed_amx(args);
  if (b.unit() == Bf16Unit::kAvx512) return gemm_packed_avx512bf16(args);
#endif
  gemm_functions(b.isa()).gemm_packed(args);
}

}  // namespace shiftadd
