// Packs weights and multiplies with them by the kernels of one instruction set or bf16 unit.
#include "core/cpu/packed_gemm.h"

#include "core/cpu/kernels.h"

namespace shiftadd {

PackedMatrix::PackedMatrix(const float* weight, int64_t n, int64_t k, int64_t ldw, Isa isa,
                           Bf16Unit unit)
    : n_(n), k_(k), isa_(isa), unit_(unit) {
  if (unit == Bf16Unit::kNone)
    kernels_ = &cpu_kernels(isa);
  else
    kernels_ = &product_kernels(unit);
  storage_ = Tensor({kernels_->packed_size(n, k)});
  kernels_->pack({n, k, weight, ldw ? ldw : k, storage_.data<float>()});
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
  b.kernels().gemm_packed(args);
}

}  // namespace shiftadd
