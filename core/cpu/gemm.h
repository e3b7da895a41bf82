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

/// Scratch of at least `floats` floats, 64-byte aligned, owned by the calling thread and kept for
/// its next call with the same slot: kernels allocate nothing once warm. Contents are undefined.
enum class Scratch { kPackA, kPackB, kTile, kAttention, kRows, kColumns, kCount };
float* scratch(Scratch slot, int64_t floats);

}  // namespace shiftadd
