// int8 products by AVX2: products of bytes summed in pairs of 16 bits, then of 32. The first
// operand has to be unsigned: |w|, with the sign of w given to x; 2 * 127 * 127 < 2^15, so that no
// pair saturates.
#pragma once

#include "core/cpu/simd/int8_gemm.h"

namespace shiftadd {
namespace {

struct Int8Dots {
  // 4 x 2 vectors of sums beside two of weights, their magnitudes, ones and a token: 15 of 16.
  static constexpr int kRows = 4;

  static void tile(int64_t groups, DotRows a, const uint8_t* b, int32_t* sum) {
    const __m256i ones = _mm256_set1_epi16(1), offset = _mm256_set1_epi8(static_cast<char>(0x80));
    __m256i total[kRows][2];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) total[r][0] = total[r][1] = _mm256_setzero_si256();
    for (int64_t q = 0; q < groups * (kDotGroup / 4); ++q, b += 64) {
      const int8_t* four_inputs = a.four(q);
      const auto* bytes = reinterpret_cast<const __m256i*>(b);
      const __m256i w0 = _mm256_xor_si256(_mm256_load_si256(bytes), offset);
      const __m256i w1 = _mm256_xor_si256(_mm256_load_si256(bytes + 1), offset);
      const __m256i size0 = _mm256_abs_epi8(w0), size1 = _mm256_abs_epi8(w1);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        int four;
        __builtin_memcpy(&four, four_inputs + r * a.row, sizeof four);
        const __m256i x = _mm256_set1_epi32(four);
        const __m256i pairs0 = _mm256_maddubs_epi16(size0, _mm256_sign_epi8(x, w0));
        const __m256i pairs1 = _mm256_maddubs_epi16(size1, _mm256_sign_epi8(x, w1));
        total[r][0] = _mm256_add_epi32(total[r][0], _mm256_madd_epi16(pairs0, ones));
        total[r][1] = _mm256_add_epi32(total[r][1], _mm256_madd_epi16(pairs1, ones));
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      auto* out = reinterpret_cast<__m256i*>(sum + r * kDotBlock);
      _mm256_storeu_si256(out, total[r][0]);
      _mm256_storeu_si256(out + 1, total[r][1]);
    }
  }

  // Signed products: nothing to take off.
  static constexpr bool kOffset = false;
  static constexpr bool kAddsByDots = false;  // tables are 1.4 to 2 times as fast
  static void multiply(int64_t groups, int rows, DotRows a, const uint8_t* b, int32_t* sum) {
    for (int r = 0; r < rows; r += kRows)
      for (int panel = 0; panel < 2; ++panel)
        tile(groups, a.from(r), b + panel * groups * kDotPanel * kDotGroup,
             sum + r * kDotBlock + panel * kDotPanel);
  }
};

}  // namespace
}  // namespace shiftadd
