// Products of bf16 operands by AVX512-BF16: pairs of steps in each lane.
#include "core/cpu/simd/gemm_bf16.h"
#include "core/cpu/targets.h"

namespace shiftadd {
namespace {

// Rows whose sums stay in registers: 8 x 2 vectors, beside two of b; 16 chains hide the latency.
constexpr int kRows = 8;

struct Unit {
  static void multiply(int64_t blocks, const Bf16* a, const Bf16* b, float* sum) {
    const int64_t line = line_of(blocks);
    for (int first = 0; first < kPanelLines; first += kRows, sum += kRows * kPanelLines) {
      const Bf16* rows = a + first / kLines * line + first % kLines * kSteps;
      __m512 total[kRows][2];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) total[r][0] = total[r][1] = zero();
      for (int64_t k = 0; k < blocks; ++k, rows += kBlock)
        for (int pair = 0; pair < kLines; ++pair) {
          const Bf16* columns = b + k * kBlock + pair * kSteps;
          const auto left = (__m512bh)_mm512_load_si512(columns);
          const auto right = (__m512bh)_mm512_load_si512(columns + line);
#pragma GCC unroll 8
          for (int r = 0; r < kRows; ++r) {
            int both;
            __builtin_memcpy(&both, rows + r * kSteps + 2 * pair, sizeof both);
            const auto x = (__m512bh)_mm512_set1_epi32(both);
            total[r][0] = _mm512_dpbf16_ps(total[r][0], x, left);
            total[r][1] = _mm512_dpbf16_ps(total[r][1], x, right);
          }
        }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        store(sum + r * kPanelLines, total[r][0]);
        store(sum + r * kPanelLines + kWidth, total[r][1]);
      }
    }
  }
};

}  // namespace

template <>
const ProductKernels<float>& product_kernels<Bf16Unit::kAvx512>() {
  return kProductKernels<Unit>;
}

}  // namespace shiftadd
