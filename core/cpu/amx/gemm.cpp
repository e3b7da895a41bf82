// Products of bf16 operands by AMX: tiles of 16 rows of 64 bytes.
#include "core/cpu/simd/amx_tiles.h"
#include "core/cpu/simd/gemm_bf16.h"
#include "core/cpu/targets.h"

namespace shiftadd {
namespace {

struct Unit : AmxTiles {
  // Tiles 0 .. 3: the sums of 2 x 2 blocks; 4, 5: blocks of a; 6, 7: of b.
  static void multiply(int64_t blocks, const Bf16* a, const Bf16* b, float* sum) {
    asm volatile("" ::: "memory");  // g++'s tile loads do not say that they read memory
    const int64_t line = line_of(blocks);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < blocks; ++k, a += kBlock, b += kBlock) {
      _tile_loadd(4, a, 64);
      _tile_loadd(6, b, 64);
      _tile_loadd(5, a + line, 64);
      _tile_loadd(7, b + line, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    constexpr int kRow = kPanelLines * sizeof(float);
    _tile_stored(0, sum, kRow);
    _tile_stored(1, sum + kLines, kRow);
    _tile_stored(2, sum + kLines * kPanelLines, kRow);
    _tile_stored(3, sum + kLines * kPanelLines + kLines, kRow);
  }
};

}  // namespace

template <>
const ProductKernels<float>& product_kernels<Bf16Unit::kAmx>() {
  return kProductKernels<Unit>;
}

}  // namespace shiftadd
