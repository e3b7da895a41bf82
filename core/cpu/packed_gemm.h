// Matrix products with a weight that is packed once and used many times (inference).
#pragma once

#include <cstdint>

#include "core/cpu/bf16.h"
#include "core/cpu/isa.h"
#include "core/kernels.h"
#include "core/tensor.h"

namespace shiftadd {

/// A linear layer's weight (n, k), row-major, laid out for the products of one instruction set.
/// Owns its storage; movable and cheap to copy (the storage is shared).
class PackedMatrix {
 public:
  PackedMatrix() = default;
  /// weight: (n, k) with leading dimension ldw (0: k). Reads it during the call only. unit: what
  /// multiplies both factors rounded to bf16 (GemmArgs::bf16); kNone: floats as they are.
  PackedMatrix(const float* weight, int64_t n, int64_t k, int64_t ldw = 0,
               Isa isa = shiftadd::isa(), Bf16Unit unit = Bf16Unit::kNone);

  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  Isa isa() const { return isa_; }
  Bf16Unit unit() const { return unit_; }
  const ProductKernels<float>& kernels() const { return *kernels_; }
  int64_t bytes() const { return storage_.defined() ? storage_.bytes() : 0; }
  const float* data() const { return storage_.defined() ? storage_.data<float>() : nullptr; }

 private:
  Tensor storage_;
  int64_t n_ = 0, k_ = 0;
  Isa isa_ = Isa::kGeneric;
  Bf16Unit unit_ = Bf16Unit::kNone;
  const ProductKernels<float>* kernels_ = nullptr;
};

/// c[m, n] = act(row_scale[m] a[m, k] weight^T + bias[n]) + residual[m, n]; bias, residual and
/// row_scale (1) may be null, residual may equal c. Allocates nothing after a thread's first call;
/// threads through parallel_for. The bits equal those of cpu_kernels(b.isa()).gemm with
/// transpose_b, and with bf16 where b has a unit, and do not depend on m or threads.
void gemm_packed(const float* a, int64_t lda, int64_t m, const PackedMatrix& b, float* c,
                 int64_t ldc, const float* bias = nullptr, Activation act = Activation::kNone,
                 const float* residual = nullptr, int64_t ldr = 0,
                 const float* row_scale = nullptr);

}  // namespace shiftadd
