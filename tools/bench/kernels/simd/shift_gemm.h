// The integer Shift product: 4-bit codes are unpacked in the inner loop, which shifts, flips bits
// and adds; no multiplication.
//
// Lanes are outputs, so that nothing is summed across a vector. A token's term is
// (x << (k - 1)) ^ m, m = -1 where the code is negative: -t is ~t + 1, and the ones that are
// missing are the same for all tokens, the number of negative codes of each output.
#pragma once

#include <utility>

#include "core/cpu/scratch.h"
#include "core/cpu/simd/ints.h"
#include "core/cpu/simd/row_ops.h"
#include "core/kernels/shift.h"
#include "core/parallel.h"
#include "tools/bench/kernels/kernels.h"

namespace shiftadd::tools {
namespace {

constexpr int kPanelVectors = kShiftPanel / kWidth;
// Sums stay in registers: 12 of 32, or 4 x 2 of 16, beside unpacked codes; generic, 2 x 4 of 16.
#if defined(__AVX512F__)
constexpr int kShiftTokens = 12;
#elif defined(__AVX2__)
constexpr int kShiftTokens = 4;
#else
constexpr int kShiftTokens = 2;
#endif
constexpr int64_t kShiftBlock = 48;  // tokens of a task: 48 x 16 outputs of some hundred inputs

// The nibbles of one column of a panel, one a lane.
SHIFTADD_INLINE void load_nibbles(const uint8_t* bytes, Ints (&nibbles)[kPanelVectors]) {
#if defined(__AVX2__)
  const __m256i wide =
      _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
#endif
#if defined(__AVX512F__)
  const __m512i by = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4);
  nibbles[0] = (Ints)_mm512_srlv_epi32(_mm512_broadcast_i32x8(wide), by) & 15;
#elif defined(__AVX2__)
  nibbles[0] = (Ints)wide & 15;
  nibbles[1] = (Ints)wide >> 4;
#else
  for (int v = 0; v < 2; ++v, bytes += 4) {
    const Ints wide = {bytes[0], bytes[1], bytes[2], bytes[3]};
    nibbles[v] = wide & 15;
    nibbles[v + 2] = wide >> 4;
  }
#endif
}

// kRows tokens (x: rows of ldx numbers) by one panel: sums (kRows, kShiftPanel).
template <int kRows>
void shift_tile(int64_t inputs, const int32_t* x, int64_t ldx, const uint8_t* codes,
                int32_t* sums) {
  Ints sum[kRows][kPanelVectors] = {}, negatives[kPanelVectors] = {};
  for (int64_t j = 0; j < inputs; ++j, codes += kShiftPanel / 2) {
    Ints count[kPanelVectors], flip[kPanelVectors];
    load_nibbles(codes, count);
#pragma GCC unroll 2
    for (int v = 0; v < kPanelVectors; ++v) {
      const Ints negative = count[v] >> 3;
      negatives[v] += negative;
      flip[v] = -negative;
      count[v] = (count[v] & 7) - 1;  // -1 for a zero: shifts everything out
    }
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const Ints token = set1i(x[r * ldx + j]);
#pragma GCC unroll 2
      for (int v = 0; v < kPanelVectors; ++v) sum[r][v] += shift_left(token, count[v]) ^ flip[v];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kPanelVectors; ++v)
      store(sums + r * kShiftPanel + v * kWidth, sum[r][v] + negatives[v]);
}

using ShiftTile = void (*)(int64_t inputs, const int32_t* x, int64_t ldx, const uint8_t* codes,
                           int32_t* sums);
template <int... rows>
constexpr void fill_shift_tiles(ShiftTile* table, std::integer_sequence<int, rows...>) {
  ((table[rows + 1] = shift_tile<rows + 1>), ...);
}

struct ShiftTileTable {
  ShiftTile of[kShiftTokens + 1] = {};  // by number of tokens
  constexpr ShiftTileTable() {
    fill_shift_tiles(of, std::make_integer_sequence<int, kShiftTokens>{});
  }
};
constexpr ShiftTileTable kShiftTiles;

// Sums of `rows` tokens from `token` on and the panel's outputs, scaled, with bias and residual.
SHIFTADD_INLINE void write_shift_tile(const ShiftGemmArgs& args, int64_t token, int rows,
                                      int64_t panel, const int32_t* sums) {
  const int64_t first = panel * kShiftPanel, left = args.outputs - first;
  const int64_t columns = left < kShiftPanel ? left : kShiftPanel;
  float unit[kShiftPanel], as_float[kShiftPanel] = {};
  for (int64_t r = 0; r < columns; ++r)
    unit[r] = __builtin_bit_cast(float, (args.exponents[first + r] - kShiftRange + 127) << 23);
  for (int i = 0; i < rows; ++i, sums += kShiftPanel) {
    const int64_t at = (token + i) * args.outputs + first;
    const Vec scale = set1(args.scales[token + i]);
    for (int r = 0; r < kShiftPanel; ++r) as_float[r] = static_cast<float>(sums[r]);
    for_vectors(
        0, columns, [&](int64_t r, auto lanes) __attribute__((always_inline)) {
          const Vec x = load(as_float + r, lanes) * load(unit + r, lanes);
          Vec y = fma(x, scale, args.bias ? load(args.bias + first + r, lanes) : zero());
          if (args.residual) y = y + load(args.residual + at + r, lanes);
          store(args.y + at + r, y, lanes);
        });
  }
}

void shift_gemm_kernel(const ShiftGemmArgs& args) {
  const int64_t k = args.inputs, panels = shift_panels(args.outputs);
  // int8 widened once, for all panels; a float and an int32 are of one size.
  int32_t* const x = reinterpret_cast<int32_t*>(scratch(Scratch::kPackA, args.tokens * k + kWidth));
  parallel_chunks(args.tokens, row_grain(k ? k : 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * k; i < end * k; ++i) x[i] = args.x[i];
  });
  const int64_t blocks = (args.tokens + kShiftBlock - 1) / kShiftBlock;
  parallel_for(blocks * panels, [&](int64_t task) {
    const int64_t panel = task % panels, begin = task / panels * kShiftBlock;
    const int64_t end = begin + kShiftBlock < args.tokens ? begin + kShiftBlock : args.tokens;
    const uint8_t* codes = args.codes + panel * k * (kShiftPanel / 2);
    for (int64_t token = begin; token < end; token += kShiftTokens) {
      const int rows = static_cast<int>(end - token < kShiftTokens ? end - token : kShiftTokens);
      int32_t sums[kShiftTokens * kShiftPanel];
      kShiftTiles.of[rows](k, x + token * k, k, codes, sums);
      write_shift_tile(args, token, rows, panel, sums);
    }
  });
}

}  // namespace
}  // namespace shiftadd::tools
