// int8 products by AVX-512 without VNNI: products of 16 bits summed in pairs, those of the even
// and of the odd bytes of each output's four inputs.
#pragma once

#include "core/cpu/simd/int8_gemm.h"

namespace shiftadd {
namespace {

struct Int8Dots {
  // Weights are signed again: nothing to take off.
  static constexpr bool kOffset = false;
  static constexpr bool kAddsByDots = false;  // tables are faster
  // 4 x 2 vectors of sums: enough chains to hide the latency.
  static constexpr int kRows = 4;

  static __m512i even_bytes(__m512i x) { return odd_bytes(_mm512_slli_epi16(x, 8)); }
  static __m512i odd_bytes(__m512i x) { return _mm512_srai_epi16(x, 8); }

  static void tile(int64_t groups, DotRows a, const uint8_t* b, int32_t* sum) {
    const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
    const uint8_t* right = b + groups * kDotPanel * kDotGroup;
    __m512i total[kRows][2];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) total[r][0] = total[r][1] = _mm512_setzero_si512();
    for (int64_t q = 0; q < groups * (kDotGroup / 4); ++q, b += 64, right += 64) {
      const int8_t* four_inputs = a.four(q);
      const __m512i w[2] = {_mm512_xor_si512(_mm512_load_si512(b), offset),
                            _mm512_xor_si512(_mm512_load_si512(right), offset)};
      const __m512i even[2] = {even_bytes(w[0]), even_bytes(w[1])};
      const __m512i odd[2] = {odd_bytes(w[0]), odd_bytes(w[1])};
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        int four;
        __builtin_memcpy(&four, four_inputs + r * a.row, sizeof four);
        const __m512i x = _mm512_set1_epi32(four), x_even = even_bytes(x), x_odd = odd_bytes(x);
#pragma GCC unroll 2
        for (int i = 0; i < 2; ++i) {
          total[r][i] = _mm512_add_epi32(total[r][i], _mm512_madd_epi16(even[i], x_even));
          total[r][i] = _mm512_add_epi32(total[r][i], _mm512_madd_epi16(odd[i], x_odd));
        }
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i)
        _mm512_store_si512(sum + r * kDotBlock + i * kDotPanel, total[r][i]);
  }

  static void multiply(int64_t groups, int rows, DotRows a, const uint8_t* b, int32_t* sum) {
    for (int r = 0; r < rows; r += kRows) tile(groups, a.from(r), b, sum + r * kDotBlock);
  }
};

}  // namespace
}  // namespace shiftadd
