// What the matrix products of one instruction set offer to the other kernels; gemm_avx2.cpp,
// gemm_avx512.cpp and gemm_generic.cpp each fill one GemmFunctions.
#pragma once

#include <cstdint>

#include "core/cpu/isa.h"
#include "core/kernels.h"

namespace shiftadd {

struct GemmFunctions {
  void (*gemm)(const GemmArgs<float>&);
  /// Floats that a packed (n, k) weight takes, and the packing itself.
  int64_t (*packed_size)(int64_t n, int64_t k);
  void (*pack)(const float* weight, int64_t ldw, int64_t n, int64_t k, float* packed);
  /// args.b is a packed weight; transpose_a, ldb and transpose_b are unused.
  void (*gemm_packed)(const GemmArgs<float>& args);
};

const GemmFunctions& gemm_functions(Isa isa);
const GemmFunctions& gemm_functions_generic();
const GemmFunctions& gemm_functions_avx2();
const GemmFunctions& gemm_functions_avx512();

/// The product of one instruction set, of float32 operands or, args.bf16, of bf16 ones: then by
/// bf16_unit() on AVX-512, and where there is none, by gemm_rounded.
void multiply(Isa isa, const GemmArgs<float>& args);
/// args.bf16 by each unit, and without one: copies rounded to bf16, multiplied as floats.
void gemm_amx(const GemmArgs<float>& args);
void gemm_avx512bf16(const GemmArgs<float>& args);
void gemm_rounded(Isa isa, const GemmArgs<float>& args);
/// A weight (n, k) packed once for the bf16 products of either unit: the floats it takes, the
/// packing, and products of which args.b is such a weight, as GemmFunctions::gemm_packed.
int64_t packed_size_bf16(int64_t n, int64_t k);
void pack_bf16(const float* weight, int64_t ldw, int64_t n, int64_t k, float* packed);
void gemm_packed_avx512bf16(const GemmArgs<float>& args);
void gemm_packed_amx(const GemmArgs<float>& args);

/// Scratch of at least `floats` floats, 64-byte aligned, owned by the calling thread and kept for
/// its next call with the same slot: kernels allocate nothing once warm. Contents are undefined.
enum class Scratch { kPackA, kPackB, kTile, kAttention, kRows, kColumns, kRoundA, kRoundB, kCount };
float* scratch(Scratch slot, int64_t floats);

}  // namespace shiftadd
