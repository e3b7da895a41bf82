// int8 products by AVX512-VNNI: four products and sums a lane and instruction.
#pragma once

#include "core/cpu/simd/int8_gemm.h"

namespace shiftadd {
namespace {

struct Int8Dots {
  static constexpr bool kOffset = true;
  static constexpr bool kAddsByDots = false;  // tables are 1 to 1.2 times as fast

  // kRows x 2 vectors of sums: from 8 rows on, enough chains to hide the latency.
  template <int kRows>
  static void tile(int64_t groups, DotRows a, const uint8_t* b, int32_t* sum) {
    const uint8_t* right = b + groups * kDotPanel * kDotGroup;
    __m512i total[kRows][2];
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) total[r][0] = total[r][1] = _mm512_setzero_si512();
    for (int64_t q = 0; q < groups * (kDotGroup / 4); ++q, b += 64, right += 64) {
      const int8_t* four_inputs = a.four(q);
      const __m512i w0 = _mm512_load_si512(b), w1 = _mm512_load_si512(right);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        int four;
        __builtin_memcpy(&four, four_inputs + r * a.row, sizeof four);
        const __m512i x = _mm512_set1_epi32(four);
        total[r][0] = _mm512_dpbusd_epi32(total[r][0], w0, x);
        total[r][1] = _mm512_dpbusd_epi32(total[r][1], w1, x);
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      _mm512_store_si512(sum + r * kDotBlock, total[r][0]);
      _mm512_store_si512(sum + r * kDotBlock + kWidth, total[r][1]);
    }
  }

  static void multiply(int64_t groups, int rows, DotRows a, const uint8_t* b, int32_t* sum) {
    while (rows > 0) {
      // 32 are 12, 12 and 8; no rest below 5 where a larger step can avoid it.
      const int step = rows >= 20 || rows == 11 || rows == 12 ? 12
                       : rows == 9 || rows == 10              ? 10
                                                              : 8;
      if (rows <= 4)
        tile<4>(groups, a, b, sum);
      else if (step == 12)
        tile<12>(groups, a, b, sum);
      else if (step == 10)
        tile<10>(groups, a, b, sum);
      else
        tile<8>(groups, a, b, sum);
      rows -= step;
      a = a.from(step);
      sum += step * kDotBlock;
    }
  }
};

}  // namespace
}  // namespace shiftadd
